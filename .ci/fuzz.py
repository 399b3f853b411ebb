"""Feeds the library thousands of damaged and hostile inputs, and fails where one is not read or refused in order.

usage: python .ci/fuzz.py [--n 20000] [--seed 0] [--only csv|lists|pickle|model|pack|image] [--case KIND:NUMBER]

Each input is a small faultless one with a few changes that depend on the seed, the kind and the number alone. In order
is what returns, or raises `ReIDError`, within the limits of time and memory, and loses no row without a word: rows in
are rows kept and rows reported. Everything else is a failure: another exception, a crash, a hang, a lost row. Prints a
line for each failure and a table; exits with 1 where there was any. `--case csv:17` repeats one, with its traceback.
"""
import argparse, csv, faulthandler, io, json, os, pickle, random, re, resource, shutil, signal, struct, sys, tempfile
import time, traceback, warnings, zipfile, zlib
from collections import Counter, namedtuple
from contextlib import redirect_stdout
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path

os.environ.setdefault('OMP_NUM_THREADS', '1')
root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root))
warnings.filterwarnings('ignore')

import numpy as np, torch
from PIL import Image
from dpa_reid import core
from dpa_reid.data import augment, block, check, duplicates, manifest as items, pack, protocol, splitfile
from dpa_reid.data.datasets import folders, known as sets, pickles, uav_veid, vehicleid, veri776, veri_uav, veri_wild, vrai, vru
from dpa_reid.layers.dpa import DpA
from dpa_reid.models import folder as model_folder, net
from dpa_reid.synth import dataset as synth
from dpa_reid.insight import ranking_lists
from dpa_reid.train.embed import Embedder

SECONDS = 5            # of processor time for one input; four times as long by the clock, on a busy machine
MEMORY = 2 << 30       # bytes of address space for one input, beyond what the imported libraries hold
SIDE = 16              # pixels


class Lost(Exception):
    "What was read is not what was there: a row gone without a word, identities merged, another picture."


class Chance(random.Random):
    "Random choices that remember the changes they led to, for the report."
    def __init__(self, *key):
        super().__init__(repr(key))
        self.did = []

    def one(self, changes, *args):
        "Apply one of the functions `changes` to `args`."
        f = self.choice(changes)
        self.did.append(getattr(f, '__name__', str(f)))
        return f(self, *args)

    def maybe(self, p):
        return self.random() < p


# ---------------------------------------------------------------------------- bytes

def flip(rng, b):
    "A few bytes replaced."
    b = bytearray(b)
    for _ in range(rng.choice([1, 1, 2, 8, 40]) if b else 0):
        b[rng.randrange(len(b))] = rng.randrange(256)
    return bytes(b)


def flip_head(rng, b):
    "A byte among the first hundred replaced, where formats keep their headers."
    b = bytearray(b)
    if b:
        b[rng.randrange(min(100, len(b)))] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
    return bytes(b)


def truncate(rng, b):
    "The end cut off."
    return b[:rng.choice([0, 1, len(b)//2, max(0, len(b)-1), rng.randrange(len(b)+1)])]


def cut(rng, b):
    "A stretch left out."
    i = rng.randrange(len(b)+1)
    return b[:i] + b[i+rng.choice([1, 4, 100]):]


def repeat(rng, b):
    "A stretch twice or many times."
    i = rng.randrange(len(b)+1)
    part = b[i:i+rng.choice([1, 4, 100])]
    return b[:i] + part*rng.choice([2, 3, 1000]) + b[i:]


def insert(rng, b):
    "Something foreign in the middle."
    i = rng.randrange(len(b)+1)
    new = rng.choice([b'\0', b'\0'*1000, b'\xff\xfe', b'\xef\xbb\xbf', b'\r', b'"', b'\x1a', b'\xed\xa0\x80',
                      rng.randbytes(20), b'9'*5000])
    return b[:i] + new + b[i:]


def swap(rng, b):
    "Two stretches changed over."
    i, j = sorted(rng.randrange(len(b)+1) for _ in range(2))
    return b[j:] + b[i:j] + b[:i]


def other_number(rng, b):
    "Four bytes replaced by an edge of the number range."
    if len(b) < 4:
        return b
    i = rng.randrange(len(b)-3)
    return b[:i] + struct.pack(rng.choice('<>') + 'I', rng.choice([0, 1, 2**31-1, 2**31, 2**32-1, 65536])) + b[i+4:]


noises = (flip, flip, flip_head, truncate, truncate, cut, repeat, insert, swap, other_number)


def noise(rng, b):
    "One to three accidents to the bytes `b`."
    for _ in range(rng.choice([1, 1, 2, 3])):
        b = rng.one(noises, b)
    return b


# ---------------------------------------------------------------------------- text

nasty = ['', ' ', '0', '-1', '-0', '007', '7 ', '1.5', '1e3', '1e999', '1_000', '0x10', '+3', 'NA', 'nan', 'None',
         'inf', 'True',
         '9'*9, '9'*18, '9'*19, '9'*20, '9'*400, '9'*5000, str(2**63), str(-2**63), str(2**64), '../..', '/etc/passwd',
         '/', '.', '..', '~',
         'a/b', 'a\\b', 'a\0b', '\0', '"', "'", '""', ',', ';', '\t', 'a b', 'a\nb', 'a\rb', '=1+1', '<script>', '$_$',
         '%s', '{}',
         'ü', '大', '\u2028', '\x85', '\x0b', '\x1c', '\ufeff', '\udcff', '１２', '٣', '𝟗', 'x'*300, 'x'*70000, 'a/'*3000,
         'train', 'query', 'gallery', 'test']


def drop_line(rng, lines):
    "A line left out."
    i = rng.randrange(len(lines))
    return lines[:i] + lines[i+1:]


def twice(rng, lines):
    "A line given twice."
    return lines + [rng.choice(lines)]


def shuffle(rng, lines):
    "All lines in another order."
    return rng.sample(lines, len(lines))


def blank(rng, lines):
    "A blank line."
    i = rng.randrange(len(lines)+1)
    return lines[:i] + [rng.choice(['', '   ', '\t'])] + lines[i:]


def word(rng, lines):
    "A word of a line replaced by a nasty one."
    i = rng.randrange(len(lines))
    words = re.split(r'([\s,;/_.="])', lines[i])
    words[rng.randrange(len(words))] = rng.choice(nasty)
    return lines[:i] + [''.join(words)] + lines[i+1:]


def other_word(rng, lines):
    "A word of a line replaced by one of another line."
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    words, source = re.split(r'([\s,;])', lines[i]), re.split(r'[\s,;]', lines[j])
    words[rng.randrange(len(words))] = rng.choice(source)
    return lines[:i] + [''.join(words)] + lines[i+1:]


def add_word(rng, lines):
    "A word more on a line."
    i = rng.randrange(len(lines))
    return lines[:i] + [lines[i] + rng.choice([' ', ',', ';', '\t']) + rng.choice(nasty)] + lines[i+1:]


def half_line(rng, lines):
    "A line cut short."
    i = rng.randrange(len(lines))
    return lines[:i] + [lines[i][:rng.randrange(len(lines[i])+1)]] + lines[i+1:]


def join_lines(rng, lines):
    "Two lines run together."
    i = rng.randrange(len(lines))
    return lines[:i] + [''.join(lines[i:i+2])] + lines[i+2:]


def long_line(rng, lines):
    "A line of many characters."
    return lines + [rng.choice(['x', '1', ' ', '1 ', '/', '_c1', '-', '1 -']) * rng.choice([1000, 30000])]


def all_lines(rng, lines):
    "One column of every line replaced."
    sep, at, new = rng.choice([' ', ',', ';']), rng.randrange(3), rng.choice(nasty)
    return [sep.join(new if k == at else w for k, w in enumerate(l.split(sep))) for l in lines]


line_changes = (drop_line, twice, twice, shuffle, blank, word, word, word, other_word, other_word, add_word, half_line,
                join_lines, long_line, all_lines)


def encoded(rng, text):
    "Text as bytes, in one of the ways in which editors of all countries save it."
    how = rng.choice(['utf-8']*8 + ['utf-8-sig', 'utf-16', 'utf-16-le', 'latin1', 'gbk', 'utf-32'])
    ends = rng.choice(['\n']*6 + ['\r\n', '\r', '\n\n'])
    if (how, ends) != ('utf-8', '\n'):
        rng.did.append(f'{how} {ends!r}')
    errors = 'surrogateescape' if how == 'utf-8' else 'replace'
    return text.replace('\n', ends).encode(how, errors)


def changed_lines(rng, data):
    "The text file `data` with a few changes to its lines; now and then to its bytes."
    lines = data.decode('utf-8', 'replace').splitlines() or ['']
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        lines = rng.one(line_changes, lines) or ['']
    data = encoded(rng, '\n'.join(lines) + rng.choice(['\n', '\n', '']))
    return noise(rng, data) if rng.maybe(.2) else data


# ---------------------------------------------------------------------------- files

def put(path, data):
    "Write a file of the case anew; what was there is a link to the faultless one and stays as it is."
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def copy_of(folder, to):
    "A folder of links to the files of `folder`."
    shutil.copytree(folder, to, copy_function=os.link)
    return to


def files_in(folder):
    "All that is no folder, below `folder`, sorted."
    return sorted(Path(d)/f for d, _, fs in os.walk(folder) for f in fs)


def rename_image(rng, f):
    "A file under another name."
    new = rng.choice([f.stem + '.JPG', f.stem + '.png', f.stem, rng.choice(nasty)[:100] + f.suffix,
                      f.stem.replace('_', '-') + '.jpg', f.stem + ' .jpg', '\udcff' + f.name])
    os.rename(f, f.parent/(new.replace('/', '|').replace('\0', '0') or 'x'))


def lose_file(rng, f):
    "A file gone."
    f.unlink()


def empty_file(rng, f):
    "A file of no bytes."
    put(f, b'')


def folder_for_file(rng, f):
    "A folder in the place of a file."
    f.unlink()
    f.mkdir()


def pipe_for_file(rng, f):
    "A pipe that nobody writes to, in the place of a file."
    f.unlink()
    os.mkfifo(f)


def link_for_file(rng, f):
    "A link to itself, to nothing, to its folder, or to an endless device."
    f.unlink()
    f.symlink_to(rng.choice([f.name, 'nothing', '.', '/dev/zero', '/dev/null']))


def stray_file(rng, f):
    "A file that does not belong there."
    put(f.parent/rng.choice(['Thumbs.db', '.DS_Store', 'a.txt', f.stem + '.json', f.stem + '_copy.jpg',
                             '0001_c001_1_0.jpg', '._' + f.name]), f.read_bytes()[:50])


def noisy_file(rng, f):
    "A file with changed bytes."
    put(f, noise(rng, f.read_bytes()))


def swap_files(rng, f):
    "A file with the content of another."
    put(f, rng.choice([g for g in files_in(f.parent) if g.is_file()]).read_bytes())


def swap_folders(rng, f):
    "The folder of a file under the name of a neighbour, and the other way round."
    others = [d for d in f.parent.parent.iterdir() if d.is_dir() and d != f.parent]
    if others:
        other, spare = rng.choice(others), f.parent.with_name('spare')
        for a, b in ((f.parent, spare), (other, f.parent), (spare, other)):
            os.rename(a, b)


def lose_folder(rng, f):
    "The folder of a file gone."
    shutil.rmtree(f.parent)


file_changes = (rename_image, rename_image, lose_file, empty_file, folder_for_file, pipe_for_file, link_for_file,
                stray_file, noisy_file, swap_files, swap_folders, lose_folder)


# ---------------------------------------------------------------------------- the faultless inputs

def write_base(folder):
    "A drawn set, the same in every layout, a pack, a model folder and pictures in many formats, below `folder`."
    df = synth.synth_uav(folder/'drawn', n_ids=6, n_imgs=4, size=SIDE, progress=False, masks=True)
    df = df.assign(path=[str(folder/'drawn'/p) for p in df.path], part_boxes=[[[1, 2, 3, 4]]]*len(df), wheel=1,
                   model=df.type)
    for name, write in sets.dataset_layouts().items():
        write(df, folder/name)
    splitfile.save_split(df, folder/'split.txt', protocol.single_gallery_shot(2))
    pack.pack_images(df.drop(columns='part_boxes'), folder/'pack.pt', size=SIDE, n_workers=1, progress=False)
    small = net.reid_net('test_efficientnet', 3, attention=DpA, pretrained=False)
    model_folder.save_net(small, folder/'model', size=[SIDE, SIDE], identities=['1', '2', '3'])
    write_pictures(folder/'pictures')


def write_pictures(folder):
    "A picture in every mode and format that Pillow writes, turned, animated, deep, or huge."
    folder.mkdir()
    im = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8))
    for ext in ('jpg', 'png', 'tiff', 'bmp', 'webp', 'gif', 'ppm', 'jp2', 'tga', 'ico', 'pcx', 'sgi', 'dds'):
        for mode in ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'CMYK', 'YCbCr', 'LAB', 'HSV', 'I', 'F', 'I;16'):
            try:
                picture_in(im, mode).save(folder/f'{mode.replace(";", "")}.{ext}')
            except (OSError, ValueError, KeyError):
                (folder/f'{mode.replace(";", "")}.{ext}').unlink(missing_ok=True)
    for k in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = k
        im.save(folder/f'turned{k}.jpg', exif=exif)
    for ext in ('gif', 'png', 'webp', 'tiff'):
        im.save(folder/f'moving.{ext}', save_all=True, append_images=[im.rotate(90*k) for k in range(3)])
    im.save(folder/'progressive.jpg', progressive=True, quality=30, comment='x'*1000)
    im.convert('P').save(folder/'palette.png', transparency=0)
    write_bombs(folder)


def picture_in(im, mode):
    "The picture in a mode of Pillow's."
    if mode == 'I;16':
        return Image.fromarray(np.asarray(im.convert('L')).astype(np.uint16)*257)
    if mode == 'LAB':
        return Image.frombytes('LAB', im.size, im.tobytes())
    return im.convert(mode)


def write_bombs(folder):
    "Small files that say they are huge pictures: some hold all of it, some nothing."
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    for side, depth in ((6000, 1), (12000, 1), (20000, 1), (30000, 8), (2**31-1, 8)):
        head = struct.pack('>IIBBBBB', side, side, depth, 0, 0, 0, 0)
        body = zlib.compress(bytes(min(side*(side*depth//8+1), 1 << 24)), 9)
        parts = [chunk(b'IHDR', head), chunk(b'IDAT', body), chunk(b'IEND', b'')]
        (folder/f'bomb{side}.png').write_bytes(b'\x89PNG\r\n\x1a\n' + b''.join(parts))
    text, small = zlib.compress(bytes(1 << 26), 9), (folder/'L.png').read_bytes()
    more = chunk(b'zTXt', b'a\0\0' + text) + chunk(b'iCCP', b'a\0\0' + text)
    (folder/'text.png').write_bytes(small[:33] + more + small[33:])
    Image.new('L', (9000, 9000)).save(folder/'wide.jpg', quality=10)


# ---------------------------------------------------------------------------- what must hold

def checked(rng, *args, **kwargs):
    "`check_dataset` on the same input: it never raises, and what it found can be printed and written."
    found = check.check_dataset(*args, n_workers=1, progress=False, images=rng.maybe(.3), **kwargs)
    str(found).encode()
    found._repr_markdown_()
    with tempfile.TemporaryDirectory() as d:
        found.to_csv(Path(d)/'found.csv')
        found.to_json(Path(d)/'found.json')
    return found


def same(what, was, now):
    "Raises `Lost` where `now` is not `was`."
    if was != now:
        raise Lost(f'{what}: {str(was)[:200]} became {str(now)[:200]}')


def whole(df, absolute=True):
    "What holds for every manifest that a reader returns; a pack may hold relative paths."
    items.check_columns(df)
    same('index', list(range(len(df))), list(df.index))
    if not all(isinstance(p, str) for p in df.path):
        raise Lost('a path is no text')
    if absolute and not all(map(os.path.isabs, df.path)):
        raise Lost('a path is not absolute')
    items.split_summary(df)
    items.manifest_warnings(df)
    block.pid_vocab(df)


def read_or_refuse(f, *args, **kwargs):
    "What `f` returns, or None where it refuses the input in order."
    try:
        return f(*args, **kwargs)
    except core.ReIDError as e:
        if len(str(e)) < 10:
            raise Lost(f'the message says nothing: {e}') from e


# ---------------------------------------------------------------------------- CSV

def change_header(rng, rows):
    "A column with another name."
    head = list(rows[0])
    head[rng.randrange(len(head))] = rng.choice(nasty[:60] + head)
    return [head] + rows[1:]


def drop_column(rng, rows):
    "A column left out."
    i = rng.randrange(len(rows[0]))
    return [r[:i] + r[i+1:] for r in rows]


def twin_column(rng, rows):
    "A column that is there twice, or once more with other values."
    i = rng.randrange(len(rows[0]))
    if rng.maybe(.5):
        return [r + r[i:i+1] for r in rows]
    return [r + ([r[i]] if k == 0 else ['7']) for k, r in enumerate(rows)]


def move_columns(rng, rows):
    "Columns in another order."
    order = rng.sample(range(len(rows[0])), len(rows[0]))
    return [[r[i] for i in order if i < len(r)] for r in rows]


def set_cell(rng, rows):
    "A nasty value in a cell, most often of the four columns."
    return set_cells(rng, rows, [rng.randrange(len(rows))])


def set_column(rng, rows):
    "A nasty value in all cells of a column, or in half of them."
    part = rng.choice([1, .5])
    return set_cells(rng, rows, [i for i in range(1, len(rows)) if rng.maybe(part)])


def set_cells(rng, rows, which):
    "A nasty value in one column of the rows `which`."
    rows, new = [list(r) for r in rows], rng.choice(nasty)
    at = rng.choice([0, 1, 1, 2, 2, 3, rng.randrange(len(rows[0]))])
    for i in which:
        if at < len(rows[i]):
            rows[i][at] = new
    return rows


def twin_row(rng, rows):
    "A row given twice, perhaps under another camera, split or name."
    row = list(rng.choice(rows[1:] or rows))
    if rng.maybe(.5):
        at = rng.randrange(min(4, len(row)))
        row[at] = rng.choice(rows)[at] if rng.maybe(.5) else rng.choice(['./' + row[at], row[at] + ' ', '0' + row[at]])
    return rows + [row]


def lose_rows(rng, rows):
    "Rows left out, perhaps all."
    return rows[:1] + [r for r in rows[1:] if rng.maybe(rng.choice([.9, .1, 0]))]


def long_row(rng, rows):
    "Cells too many or too few in a row, or in all of them."
    more = rng.choice([1, -1, 5])
    which = range(1, len(rows)) if rng.maybe(.4) else [rng.randrange(len(rows))]
    return [(r + ['x']*more if more > 0 else r[:more]) if i in which else r for i, r in enumerate(rows)]


def header_again(rng, rows):
    "The heading once more in the middle, or not at all."
    return rows[1:] if rng.maybe(.3) else rows + [rows[0]]


table_changes = (change_header, drop_column, twin_column, move_columns, set_cell, set_cell, set_cell, set_column,
                 set_column, twin_row, twin_row, lose_rows, long_row, header_again)


def as_csv(rng, rows):
    "Rows as bytes; and whether they must come back as they are."
    sep = rng.choice([',']*9 + [';', '\t', '|'])
    quote = rng.choice([csv.QUOTE_MINIMAL]*4 + [csv.QUOTE_ALL, csv.QUOTE_NONE])
    escape = '\\' if quote == csv.QUOTE_NONE else None
    f = io.StringIO()
    csv.writer(f, delimiter=sep, quoting=quote, escapechar=escape, lineterminator='\n').writerows(rows)
    data = encoded(rng, f.getvalue())
    plain = sep == ',' and quote != csv.QUOTE_NONE and data.decode('utf-8', 'surrogateescape') == f.getvalue()
    if rng.maybe(.2):
        data, plain = noise(rng, data), False
    return data, plain


def case_csv(rng, here, base):
    "A manifest's CSV: rows, cells, heading, encoding, bytes."
    rows = list(csv.reader(io.StringIO((base/'drawn'/'labels.csv').read_text())))
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        rows = rng.one(table_changes, rows) or [['path', 'pid', 'camid', 'split']]
    data, plain = as_csv(rng, rows)
    file = here/'labels.csv'
    put(file, data)
    if rng.maybe(.2):
        checked(rng, file, root=base/'drawn')
    df = read_or_refuse(items.read_manifest, file, root=base/'drawn')
    if df is None:
        return 'refused'
    whole(df)
    if plain:
        rows_kept(rows, df)
    if rng.maybe(.3):
        saved_again(df, here/'again.csv')
    return 'accepted'


def rows_kept(rows, df):
    "Each row of the CSV is a row of the manifest, and no two identities became one."
    full = [r for r in rows[1:] if any(c.strip() for c in r)]
    same('rows', len(full), len(df))
    at = rows[0].index('pid')
    same('identities', len({r[at].strip() for r in full}), df.pid.nunique())


def saved_again(df, file):
    "A manifest that was read is written and read again as it was."
    if read_or_refuse(items.save_manifest, df, file) is None and not file.exists():
        return
    again = items.read_manifest(file)
    for c in items.manifest_columns:
        same(c, list(map(str, df[c])), list(map(str, again[c])))


# ---------------------------------------------------------------------------- data sets

def lines_of(file):
    "The lines of a text file that are not blank, as they are."
    return [l for l in file.read_text(encoding='utf-8-sig', errors='replace').splitlines() if l.strip()]


Layout = namedtuple('Layout', 'read lists folders options', defaults=((), (), ({},)))
_split = 'train_test_split/'
known = dict(
    veri_uav=Layout(veri_uav.read_veri_uav, (), ('image_train', 'image_query', 'image_test'),
                       ({}, dict(cam_from='none'))),
    vru=Layout(vru.read_vru, (_split + 'train_list.txt', _split + 'test_list_8000.txt')),
    vehicleid=Layout(vehicleid.read_vehicleid, (_split + 'train_list.txt', _split + 'test_list_800.txt')),
    vrai=Layout(vrai.read_vrai, (), (), ({}, dict(test='dev'), dict(test=None))),
    vrai_old=Layout(vrai.read_vrai),
    uav_veid=Layout(uav_veid.read_uav_veid, ('UAV-labels/train_id_label.txt', 'UAV-labels/test_query_label.txt',
                                             'UAV-labels/test_gallery_label.txt')),
    uav_veid_flat=Layout(uav_veid.read_uav_veid, (), ('train', 'query', 'gallery')),
    veri776=Layout(veri776.read_veri776, (), ('image_train', 'image_query', 'image_test')),
    veri_wild=Layout(veri_wild.read_veri_wild, (_split + 'train_list.txt', _split + 'test_3000_query.txt',
                                               _split + 'test_3000.txt')),
    folders=Layout(folders.read_folders, (), ('train', 'query', 'gallery')),
    drawn=Layout(sets.read_dataset, (), ()))


def rows_reported(where, layout, df, odd, said):
    "All lines of the lists and all files of the folders are rows, or among what was left out."
    lines = Counter(os.path.join(where/l, line) for l in layout.lists for line in lines_of(where/l))
    if lines:
        left, doubled = sum((Counter(odd) & lines).values()), sum(map(int, re.findall(r'(\d+) quer', said)))
        same('lines', sum(lines.values()), len(df) + left + doubled)
    odd = set(odd)
    kept = odd | set(df.path)
    lost = [f for d in layout.folders for f in map(str, files_in(where/d))
            if not kept & {f, *map(str, Path(f).parents)}]
    same('files that were lost without a word', [], lost)


def change_dataset(rng, here):
    "A few changes to the lists and the pictures of a data set; whether its lists can still be counted."
    texts = [f for f in files_in(here) if f.suffix in ('.txt', '.xml', '.csv', '.json')]
    for _ in range(rng.choice([1, 1, 2, 3])):
        files = files_in(here)
        if not files:
            return
        f = rng.choice(texts) if texts and rng.maybe(.6) else rng.choice(files)
        if not f.is_file() or f.is_symlink():
            continue
        if f in texts and rng.maybe(.8):
            rng.did.append(f.name)
            put(f, changed_lines(rng, f.read_bytes()))
        else:
            rng.one(file_changes, f)


def signed(text):
    "The text of a split file with the checksum that belongs to it, where it can be given one."
    try:
        head, body = text.split('\n', 1)
        head = json.loads(head.removeprefix('# '))
        del head['checksum']
        return '# ' + json.dumps(head | dict(checksum=splitfile._checksum(head, body))) + '\n' + body
    except (ValueError, KeyError, TypeError, RecursionError):
        return text


def case_split(rng, here, base):
    "A split file, damaged, or changed and signed anew."
    head, *lines = (base/'split.txt').read_text().splitlines()
    if rng.maybe(.4):
        head = '# ' + changed_json(rng, json.loads(head.removeprefix('# '))).decode('utf-8', 'replace')
    if rng.maybe(.6):
        lines = rng.one(line_changes, lines)
    text = '\n'.join([head, *lines]) + '\n'
    text = signed(text) if rng.maybe(.8) else text
    data = text.encode('utf-8', 'surrogateescape')
    put(here/'split.txt', noise(rng, data) if rng.maybe(.2) else data)
    rule = read_or_refuse(splitfile.load_split, here/'split.txt')
    if rule is None:
        return 'refused'
    rule.describe()
    df = items.read_manifest(base/'drawn'/'labels.csv')
    return 'refused' if read_or_refuse(rule.split, df) is None else 'accepted'


def case_recipe(rng, here, base):
    "The record of a drawn set, by which a drawing goes on."
    recipe = json.loads((base/'drawn'/'synth.json').read_text())
    put(here/'synth.json', changed_json(rng, json.loads(json.dumps(recipe))))
    spec = synth.SynthSpec(**{k: tuple(v) if isinstance(v, list) else v for k, v in recipe.items()})
    try:
        synth.claim_folder(here, spec)
        return 'accepted'
    except core.ReIDError:
        return 'refused'


def case_lists(rng, here, base):
    "A data set's folder in one of its public layouts: lists, labels, names, folders; or a split file."
    if rng.maybe(.08):
        return rng.one([case_split, case_split, case_recipe], here, base)
    name = rng.choice([*known])
    rng.did.append(name)
    layout, where = known[name], copy_of(base/name, here/name)
    change_dataset(rng, where)
    options = rng.choice(layout.options)
    if rng.maybe(.15):
        checked(rng, where)
    read = layout.read if rng.maybe(.7) else sets.read_dataset
    odd, said = [], io.StringIO()
    with redirect_stdout(said):
        df = read_or_refuse(read, where, skipped=odd, **(options if read == layout.read else {}))
    if df is None:
        return 'refused'
    whole(df)
    if read == layout.read and read != sets.read_dataset:
        rows_reported(where, layout, df, odd, said.getvalue())
    if rng.maybe(.1) and df.path.map(os.path.isfile).all():
        saved_again(df, here/'again.csv')
    return 'accepted'


# ---------------------------------------------------------------------------- pickles

class Call:
    "Pickles as a call of `f` with `args`, then perhaps `state` set on what it returns."
    def __init__(self, f, args, state=None):
        self.all = (f, args) if state is None else (f, args, state)

    def __reduce__(self):
        return self.all


class Named:
    "Pickles as a global name, whatever it is."
    def __init__(self, module, name):
        self.module, self.name = module, name


reconstruct, scalar = np.zeros(1).__reduce__()[0], np.float64(0).__reduce__()[0]
frombuffer = np.zeros(1).__reduce_ex__(5)[0]
codes = ['O', 'O8', 'i8', 'f8', 'u1', 'S4', 'U4', 'V8', 'M8[ns]', 'c16', 'b1', '(3,)i4', 'i4,O', 'U999999999',
         'S2147483647', '>i4', 'g', 'P', 'e', '', 'x', 'O16']


def shape_of(rng):
    "A shape that may be right, negative, or far too large."
    return rng.choice([(1,), (2,), (), (0,), (-1,), (2**40,), (2**62, 4), (2**31, 2**31), (1,)*64, (1,)*65, (3, 5),
                       'ab', None, (1.5,), ('1',), (True,)])


def data_of(rng):
    "Data that may be too short, too long, or of another kind."
    return rng.choice([b'', b'A'*8, b'A'*7, bytes(16), bytearray(b'A'*8), 'A'*8, 'ü'*8, [None], [1, 2], ['a'], None, 7,
                       memory_address(), b'A'*1000])


def memory_address():
    "The address of a living object, as bytes."
    return struct.pack('P', id(known))


def array_on_memory(rng):
    "An array built on the file's own bytes."
    return Call(np.ndarray, (shape_of(rng), Call(np.dtype, (rng.choice(codes),)), data_of(rng),
                             *rng.choice([(), (0,), (8,), (-8,), (0, (8,)), (0, (-8,), 'F')])))


def forged_dtype(rng):
    "A dtype whose fields, size or flags do not belong to it."
    size, align, flags = rng.choice([0, 4, 2**31-1, -5]), rng.choice([-1, 1, 8]), rng.choice([0, 1, 27, 63, 255])
    state = rng.choice([
        (3, '|', None, ('a',), {'a': (np.dtype('O'), 2**20)}, 8, 1, 27),
        (3, '|', (np.dtype('O'), (4,)), None, None, 32, 8, 63),
        (3, rng.choice('<>|=x'), None, None, None, size, align, flags),
        (4, '|', None, None, None, 8, 8, 63, {'a': 1}),
        (), None, (1,)*9, 7])
    return Call(np.dtype, (rng.choice(codes), rng.choice([False, True, 0, 'a']), rng.choice([True, False])), state)


def forged_array(rng):
    "An array whose shape, kind and data do not fit."
    kind = forged_dtype(rng) if rng.maybe(.4) else Call(np.dtype, (rng.choice(codes),))
    state = (1, shape_of(rng), kind, rng.choice([True, False, 'a']), data_of(rng))
    start = (Named('numpy', 'ndarray'), rng.choice([(0,), (5,), (2**40,), ()]), rng.choice([b'b', 'O', b'O', 'x']))
    return Call(reconstruct, start, rng.choice([state, state[1:], state[:-1], (), None, 7]))


def forged_scalar(rng):
    "A number whose data do not fit its kind."
    return Call(scalar, (forged_dtype(rng) if rng.maybe(.4) else Call(np.dtype, (rng.choice(codes),)), data_of(rng)))


def forged_buffer(rng):
    "An array on a buffer, protocol 5."
    return Call(frombuffer, (data_of(rng), Call(np.dtype, (rng.choice(codes),)), shape_of(rng),
                             rng.choice(['C', 'F', 'A', 'x', None])))


def foreign_call(rng):
    "Something that no list of names needs."
    return rng.choice([Named('os', 'system'), Named('builtins', 'eval'), Named('builtins', 'getattr'),
                       Named('numpy', 'load'), Named('numpy.core.multiarray', 'frombuffer'), Named('numpy', 'memmap'),
                       Named('collections', 'OrderedDict.clear'), Named('builtins', 'list.append'),
                       Named('numpy', 'ndarray.tobytes'), Named('numpy', 'dtype'), Named('numpy', 'ndarray'),
                       Call(Named('os', 'system'), ('false',)), Call(Named('builtins', 'exec'), ('1/0',))])


def large_call(rng):
    "A plain type asked for more than there is."
    return rng.choice([Call(bytes, (10**rng.choice([3, 9, 12]),)), Call(bytearray, (10**rng.choice([3, 9, 12]),)),
                       Call(int, ('9'*10**5,)), Call(int, ('f'*10**5, 16)), Call(float, ('9'*10**5,)),
                       Call(list, (5,)), Call(complex, ('x',)), Call(dict, ([1],)), Call(str, (b'\xff', 'utf-8')),
                       Call(str, (b'abc', 'rot13')), Call(str, (b'abc', 'idna'))])


def bomb(rng):
    "A few objects that hold each other many times over."
    t, wrap = 'x', rng.choice([lambda t: [t, t], lambda t: (t, t), lambda t: {'a': t, 'b': t}, lambda t: (t,),
                               lambda t: [t], lambda t: frozenset([t, (t,)])])
    for _ in range(rng.choice([3, 30, 60, 300])):
        t = wrap(t)
    if rng.maybe(.3):
        t = []
        t.append(t)
    return t


attacks = (array_on_memory, forged_dtype, forged_array, forged_scalar, forged_buffer, foreign_call, large_call, bomb)
plain_values = [None, True, 0, -1, 2**80, 1.5, float('nan'), '', 'x', b'x', 'ü', '\udcff', [], {}, (), set(), [None],
                ['a', 1], [['a']], {'a': 1}, {1: 2}, 10**4000]


class Pickler(pickle._Pickler):
    "Writes `Named` as the global name that it stands for."
    def save(self, obj, save_persistent_id=True):
        if not isinstance(obj, Named):
            return super().save(obj, save_persistent_id)
        self.write(f'c{obj.module}\n{obj.name}\n'.encode())
        self.memoize(obj)


def pickled(rng, data):
    "`data` under one of pickle's protocols; None where Python itself cannot write it."
    f = io.BytesIO()
    try:
        Pickler(f, rng.choice([0, 1, 2, 2, 2, 3, 4, 5])).dump(data)
    except (TypeError, RecursionError, UnicodeEncodeError, pickle.PicklingError, AttributeError, ValueError):
        return None
    return f.getvalue()


def nasty_value(rng):
    "A value that does not belong in a pickle of names and labels."
    return rng.one(attacks) if rng.maybe(.5) else rng.choice(plain_values + nasty)


def change_entry(rng, data):
    "One entry of the dictionary replaced by something else."
    data[rng.choice([*data])] = nasty_value(rng)


def change_item(rng, data):
    "One item of a list or dictionary among the entries replaced, doubled or left out."
    key = rng.choice([*data])
    v = data[key]
    if not isinstance(v, (list, dict)) or not v:
        return
    at = rng.choice([*v]) if isinstance(v, dict) else rng.randrange(len(v))
    how = rng.randrange(3)
    if how == 0:
        v[at] = nasty_value(rng)
    elif how == 1:
        del v[at]
    elif isinstance(v, list):
        v.append(v[at])


def change_kind(rng, data):
    "A list as an array, a tuple, a set or a dictionary."
    key = rng.choice([*data])
    if isinstance(data[key], list):
        how = rng.choice([np.array, tuple, set, dict.fromkeys, partial(np.array, dtype=object),
                          lambda v: np.array(v)[::-1], lambda v: np.array([v, v]), iter, ' '.join])
        try:
            data[key] = how(data[key])
        except TypeError:
            pass


def lose_entry(rng, data):
    "An entry less."
    del data[rng.choice([*data])]


def odd_key(rng, data):
    "An entry under a key that is no name of it."
    key = nasty_value(rng)
    try:
        hash(key)
        data[key] = 1
    except (TypeError, RecursionError):
        pass


entry_changes = (change_entry, change_entry, change_item, change_item, change_item, change_kind, change_kind,
                 lose_entry, odd_key)


def list_dir(o):
    "How many images the content of a pickle names; None where its lists are none."
    lists = [v for k, v in o.items() if isinstance(k, str) and k.endswith('im_names')]
    return sum(map(len, lists)) if all(isinstance(v, (list, tuple, set, dict)) for v in lists) else None


def changed_pickle(rng, data):
    "The pickle `data` with a few changes; and how many names it should hold, None where nobody knows."
    o = pickle.loads(data)
    if rng.maybe(.1):
        return pickled(rng, nasty_value(rng)) or data, None
    for _ in range(rng.choice([1, 1, 2])):
        if o:
            rng.one(entry_changes, o)
    new = pickled(rng, o)
    if new is None or rng.maybe(.25):
        return noise(rng, new or data), None
    return new, list_dir(o)


def pickles_read(name, test='test'):
    "The files that the reader of VRAI opens."
    if name == 'vrai_old':
        return ['partitions.pkl']
    other = dict(test=['test_annotation.pkl'], dev=['test_dev_annotation.pkl'])
    return ['train_annotation.pkl'] + other.get(test, [])


def case_pickle(rng, here, base):
    "The pickles of VRAI, of either release: changed, forged, and built to attack."
    name = rng.choice(['vrai', 'vrai', 'vrai_old'])
    where = copy_of(base/name, here/name)
    n = {f: list_dir(pickle.loads(f.read_bytes())) for f in where.glob('*.pkl')}
    file = rng.choice(sorted(n))
    data, n[file] = changed_pickle(rng, file.read_bytes())
    put(file, data)
    options = rng.choice(known[name].options)
    read_or_refuse(pickles.read_pickle, file)
    if rng.maybe(.1):
        checked(rng, where)
    odd = []
    df = read_or_refuse(vrai.read_vrai, where, skipped=odd, **options)
    if df is None:
        return 'refused'
    whole(df)
    said = [n[where/f] for f in pickles_read(name, **options)]
    if None not in said:
        same('names', sum(said), len(df) + len(odd))
    return 'accepted'


# ---------------------------------------------------------------------------- plain data, for JSON

def some_place(rng, o):
    "A container within `o` and a key of it."
    while True:
        keys = [*o] if isinstance(o, dict) else list(range(len(o)))
        key = rng.choice(keys)
        if not (isinstance(o[key], (dict, list)) and o[key]) or rng.maybe(.2):
            return o, key
        o = o[key]


json_values = [None, True, False, 0, 1, -1, 2, 3, 7, 64, 4096, 10**6, 10**9, 2**31, 2**63, 10**30, 1.5, -0.5, 1e308,
               float('nan'), float('inf'), '', 'x', '1', 'conv', [], {}, [1], [[]], {'a': 1}, [0, 0],
               dict(callable='os.system', args=['false'], kwargs={}), dict(callable='torch.nn.modules.linear.Linear',
                                                                           args=[10**5, 10**5], kwargs={}),
                                                                           dict(callable='dpa_reid.layers.dpa.DpA',
                                                                                args=[], kwargs=dict(k=10**9)),
               dict(callable=['x']), dict(callable='dpa_reid.layers.dpa.DpA', args={}, kwargs=[])]


def change_json(rng, o):
    "A value somewhere in `o` replaced, left out, or put elsewhere."
    place, key = some_place(rng, o)
    how = rng.randrange(6)
    if how == 0:
        del place[key]
    elif how == 1:
        a, b = some_place(rng, o) if o else (place, key)
        place[key] = json.loads(json.dumps(a[b]))
    elif how == 2 and isinstance(place, dict):
        place[rng.choice(nasty[:60]) or 'x'] = rng.choice(json_values)
    else:
        place[key] = rng.choice(json_values)


def as_json(rng, o):
    "`o` as bytes, now and then damaged."
    text = json.dumps(o)
    if rng.maybe(.05):
        text = rng.choice(['['*10**5, '{"a":'*10**5, text + text, '9'*10**4, '"' + text, text.replace('"', "'"),
                           '{"a":1,"a":2}', '1e999999'])
    data = text.encode('utf-8', 'surrogatepass')
    return noise(rng, data) if rng.maybe(.15) else data


def changed_json(rng, o):
    "`o` with one to three changes, as bytes."
    for _ in range(rng.choice([1, 1, 2, 3])):
        if o:
            change_json(rng, o)
    return as_json(rng, o)


# ---------------------------------------------------------------------------- models

def change_tensors(rng, data):
    "A safetensors file whose header says other things than its data."
    n = struct.unpack('<Q', data[:8])[0]
    head, body = json.loads(data[8:8+n]), data[8+n:]
    if rng.maybe(.6):
        text = changed_json(rng, head)
    else:
        name = rng.choice([k for k in head if k != '__metadata__'])
        field = rng.choice(['dtype', 'shape', 'data_offsets'])
        new = dict(
            dtype=['F64', 'F16', 'BF16', 'I8', 'BOOL', 'F8_E4M3', 'X', 'f32'],
            shape=[[], [1], [0], [-1], [2**40], [1.5], [2**62, 4], 'x', [1]*70],
            data_offsets=[[0, 0], [0, 4], [4, 0], [-4, 0], [0, 2**63], [0], [1, 5]])[field]
        head[name][field] = rng.choice(new)
        text = json.dumps(head).encode()
    size = len(text) if rng.maybe(.9) else rng.choice([0, 2**63, 2**64-1, len(text)-1, len(text)+10**6, 10**8])
    return struct.pack('<Q', size) + text + (body if rng.maybe(.9) else noise(rng, body))


def case_model(rng, here, base):
    "A model folder: `model.json`, the header and the bytes of its weights."
    where = copy_of(base/'model', here/'model')
    js, ws = where/'model.json', where/'weights.safetensors'
    meta, weights = json.loads(js.read_text()), ws.read_bytes()
    if rng.maybe(.5):
        rng.did.append('weights')
        weights = change_tensors(rng, weights) if rng.maybe(.7) else noise(rng, weights)
        put(ws, weights)
        if rng.maybe(.8):
            meta['sha256'] = sha256(weights).hexdigest()
        put(js, json.dumps(meta).encode())
    if rng.maybe(.6) or not rng.did:
        rng.did.append('model.json')
        network, rest = meta['network'], meta
        put(js, changed_json(rng, meta) if rng.maybe(.4) else (change_json(rng, network), as_json(rng, rest))[1])
    if rng.maybe(.1):
        rng.one(file_changes, rng.choice([js, ws]))
    loaded = read_or_refuse(Embedder.load, str(where))
    read_or_refuse(model_folder.read_meta, where)
    return 'refused' if loaded is None else 'accepted'


# ---------------------------------------------------------------------------- packs

def other_images(rng, o):
    "Images of another type, shape or layout in memory."
    x = o['images']
    o['images'] = rng.choice([lambda: x.float(), lambda: x[:-1], lambda: x[:, :1], lambda: x[:, :, :8],
                              lambda: x[:1].expand(len(x), -1, -1, -1), lambda: x.flip(0).transpose(2, 3),
                              lambda: x[0, 0, 0, 0], lambda: x.to_sparse(),
                              lambda: list(x), lambda: x.numpy().tolist() if rng.maybe(.1) else None,
                              lambda: x.double(), lambda: x.bool(), lambda: torch.zeros(0, dtype=torch.uint8),
                              lambda: torch.nn.Parameter(x.float()),
                              lambda: torch.zeros(1, dtype=torch.uint8).expand(10**6, 3, SIDE, SIDE),
                              lambda: x.to('meta'), lambda: 'x'])()


def other_meta(rng, o):
    "The record of a pack changed."
    if rng.maybe(.1):
        o['meta'] = rng.choice([*json_values])
    else:
        change_json(rng, o['meta'])


def other_manifest(rng, o):
    "The manifest of a pack changed."
    if rng.maybe(.1):
        o['manifest'] = rng.choice([None, 7, b'x', {}, 'null', '[]', '{}', '7', '{"columns": {}}'])
        return
    table = json.loads(o['manifest'])
    o['manifest'] = changed_json(rng, table).decode('utf-8', 'replace')


def other_entry(rng, o):
    "An entry of a pack left out, or one more."
    if rng.maybe(.5):
        del o[rng.choice([*o])]
    else:
        o['more'] = torch.zeros(3)


pack_changes = (other_images, other_meta, other_meta, other_manifest, other_manifest, other_entry)


def other_zip(rng, data):
    "The archive of a pack written anew with one of its members changed, its checksums right."
    f, members = io.BytesIO(), zipfile.ZipFile(io.BytesIO(data))
    victim, how = rng.choice(members.namelist()), rng.choice([zipfile.ZIP_STORED]*4 + [zipfile.ZIP_DEFLATED])
    with zipfile.ZipFile(f, 'w', how) as z:
        for n in members.namelist():
            content = members.read(n)
            if n == victim:
                content = noise(rng, content) if rng.maybe(.8) else b''
            if n != victim or rng.maybe(.9):
                z.writestr(n, content)
    return f.getvalue()


def still_a_pack(o):
    "Whether the next change finds what it looks for."
    if not {'images', 'meta', 'manifest'} <= set(o) or not isinstance(o['images'], torch.Tensor):
        return False
    try:
        return all(isinstance(v, dict) and v for v in (o['meta'], json.loads(o['manifest'])))
    except (TypeError, ValueError, RecursionError):
        return False


def changed_pack(rng, file):
    "The pack in `file` changed; and whether only its bytes were."
    if rng.maybe(.35):
        return noise(rng, file.read_bytes()), True
    if rng.maybe(.3):
        rng.did.append('archive')
        return other_zip(rng, file.read_bytes()), False
    o = torch.load(file, weights_only=True)
    for _ in range(rng.choice([1, 1, 2])):
        if not still_a_pack(o):
            break
        rng.one(pack_changes, o)
    f = io.BytesIO()
    torch.save(o, f)
    return f.getvalue(), False


def case_pack(rng, here, base):
    "A pack: the archive, the images, the record, the manifest."
    good, file = base/'pack.pt', here/'pack.pt'
    data, bytes_only = changed_pack(rng, good)
    put(file, data)
    p = read_or_refuse(pack.open_pack, file)
    if p is None:
        return 'refused'
    same('rows', (p.meta['count'], p.meta['count']), (len(p), len(p.images)))
    whole(p.manifest, absolute=False)
    p._repr_markdown_()
    for path in p.manifest.path[:30]:
        read_or_refuse(p.load_image, path, p.size)
    sound = read_or_refuse(p.verify)
    if bytes_only and sound is not None and not torch.equal(p.images, pack.open_pack(good).images):
        raise Lost('the pictures are others and the checksum is right')
    return 'accepted'


# ---------------------------------------------------------------------------- images

def as_it_is(rng, b):
    "No change."
    return b


def trailing(rng, b):
    "A second picture, or rubbish, behind the first."
    return b + rng.choice([b, bytes(1000), rng.randbytes(50)])


def no_picture(rng, b):
    "Something else altogether."
    return rng.choice([b'', b'\0', b'GIF89a', b'\xff\xd8\xff', b'<svg/>', b'%PDF-1.4', b'P6 99999 99999 255\n',
                       b'P1\n1000000000 1\n', b'BM' + bytes(60), b'\x89PNG\r\n\x1a\n', b'II*\0' + b'\xff'*50,
                       b'<html>404</html>'])


picture_changes = (as_it_is, noise, noise, noise, noise, trailing, no_picture)


def case_image(rng, here, base):
    "A picture: cut short, huge, of odd modes, turned, deep, moving, or none."
    source = rng.choice(sorted((base/'pictures').iterdir()))
    file = here/rng.choice([source.name, 'a.jpg'])
    rng.did.append(source.name)
    if rng.maybe(.93):
        put(file, rng.one(picture_changes, source.read_bytes()))
    else:
        put(file, b'x')
        rng.one((pipe_for_file, link_for_file, folder_for_file, lose_file), file)
    readable = picture_holds(file)
    df = items.pd.DataFrame(dict(path=[str(file), str(base/'pictures'/'L.png')], pid=1, camid=[1, 2],
                                 split=['query', 'gallery']))
    with redirect_stdout(io.StringIO()) as said:
        kept = items.drop_unreadable(df, n_workers=1)
    same('rows', 2, len(kept) + sum(map(int, re.findall(r'left out (\d+)', said.getvalue()))))
    same('readable', readable, len(kept) == 2)
    if rng.maybe(.3):
        checked(rng, df)
    return 'accepted' if readable else 'refused'


def picture_holds(file):
    "Whether all readers of a picture agree that it can be read; raises `Lost` where they do not."
    readable = items.is_decodable(file)
    x = read_or_refuse(augment.read_image, file, (SIDE, SIDE))
    same('readers agree', readable, x is not None)
    look = duplicates.inspect_image(file)
    same('the check agrees', readable, not look.error)
    if x is not None:
        same('shape', ((3, SIDE, SIDE), torch.uint8), (tuple(x.shape), x.dtype))
    ranking_lists._tile(str(file), 32, ranking_lists.RED, 'x')
    read_or_refuse(synth.read_mask, file)
    return readable


# ---------------------------------------------------------------------------- running

cases = dict(csv=case_csv, lists=case_lists, pickle=case_pickle, model=case_model, pack=case_pack, image=case_image)
share = dict(csv=.3, lists=.27, pickle=.17, model=.05, pack=.1, image=.11)
Result = namedtuple('Result', 'kind number outcome seconds error place did', defaults=('', '', ''))


def run_case(kind, number, seed, base, scratch):
    "One input, tried: its `Result`."
    rng, here, t = Chance(seed, kind, number), scratch/f'{kind}{number}', time.time()
    here.mkdir(parents=True)
    try:
        outcome, error, place = cases[kind](rng, here, base), '', ''
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as e:
        outcome, error, place = 'failed', f'{type(e).__name__}: {e}', place_of(e)
    finally:
        shutil.rmtree(here, ignore_errors=True)
    return Result(kind, number, outcome, time.time()-t, error, place, ', '.join(map(str, rng.did)))


def place_of(e):
    "The last line of the library, and of this script, that an exception passed."
    frames = traceback.extract_tb(e.__traceback__)
    found = []
    for part in ('/dpa_reid/', '.ci/fuzz.py'):
        mine = [f for f in frames if part in f.filename]
        found += [f'{Path(f.filename).name}:{f.lineno} {f.name}' for f in mine[-1:]]
    return ' < '.join(found)


def limit_child(log):
    "Bound this process in memory, and let whatever it prints go to `log`."
    size = int(re.search(r'VmSize:\s+(\d+)', Path('/proc/self/status').read_text())[1]) << 10
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    f = open(log, 'w')
    os.dup2(f.fileno(), 1)
    os.dup2(f.fileno(), 2)
    faulthandler.enable(f)
    for s in (signal.SIGPROF, signal.SIGALRM):
        faulthandler.register(s, f, all_threads=False, chain=True)


def child(conn, seed, base, scratch, log):
    "Try the inputs that come through `conn`, one after the other."
    limit_child(log)
    for kind, number in iter(conn.recv, None):
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.setitimer(signal.ITIMER_REAL, 4*SECONDS)
        result = run_case(kind, number, seed, base, scratch)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        conn.send(result)


class Worker:
    "A process that tries inputs, and what it is trying now."
    def __init__(self, seed, base, scratch):
        self.log, self.job, self.begun = scratch/f'log{random.random()}', None, 0
        ctx = get_context('fork')
        self.conn, theirs = ctx.Pipe()
        self.process = ctx.Process(target=child, args=(theirs, seed, base, scratch, self.log))
        self.process.start()
        theirs.close()

    def give(self, job):
        "Let it try `job`; None lets it go."
        self.job, self.begun = job, time.time()
        try:
            self.conn.send(job)
        except OSError:
            pass

    def take(self):
        "What came of the job; where the process died of it, a failure that says so."
        try:
            return self.conn.recv()
        except (EOFError, OSError):
            self.process.join()
        code, text = self.process.exitcode, self.log.read_text(errors='replace')
        late = {-signal.SIGPROF: f'more than {SECONDS} s of processor time',
                -signal.SIGALRM: f'more than {4*SECONDS} s'}
        died = late.get(code, f'the interpreter ended with {code}')
        frames = re.findall(r'File "[^"]*/(\w+\.py)", line (\d+) in (\w+)', text)
        place = ' < '.join(f'{f}:{l} {n}' for f, l, n in frames[:4])
        return Result(*self.job, 'failed', time.time()-self.begun, died, place, '' if frames else text[-200:])

    def alive(self):
        return self.process.is_alive()


def run_all(jobs, n_workers, new_worker):
    "Try all `jobs` in a few processes, each replaced when it dies; yields `Result`s as they come."
    jobs, busy = iter(jobs), {}
    for _, job in zip(range(n_workers), jobs):
        w = new_worker()
        w.give(job)
        busy[w.conn] = w
    while busy:
        for conn in wait([*busy]):
            w = busy.pop(conn)
            yield w.take()
            job = next(jobs, None)
            if not w.alive() and job:
                w = new_worker()
            w.give(job)
            if job:
                busy[w.conn] = w


def jobs_for(n, only):
    "The kind and number of each input, the kinds in turn."
    kinds = [only] if only else [*cases]
    total = sum(share[k] for k in kinds)
    jobs = [(i/share[k], k, i) for k in kinds for i in range(int(n*share[k]/total) + 1)]
    return [(k, i) for _, k, i in sorted(jobs)][:n]


def one_line(r, seed):
    "A failure for the report."
    line = f"FAIL {r.kind}:{r.number} (seed {seed}) {r.error} [{r.place}] after {r.did}"
    return line[:600].replace('\n', ' ').encode('utf-8', 'backslashreplace').decode()


def table_of(results):
    "A line for each kind: inputs, accepted, refused, failures, the slowest."
    rows = [('kind', 'inputs', 'accepted', 'refused', 'failures', 'slowest')]
    for k in dict.fromkeys(r.kind for r in results):
        mine = [r for r in results if r.kind == k]
        n = Counter(r.outcome for r in mine)
        slow = max(mine, key=lambda r: r.seconds)
        rows.append((k, len(mine), n['accepted'], n['refused'], n['failed'],
                     f'{slow.seconds:.2f} s ({k}:{slow.number})'))
    return '\n'.join(''.join(f'{c!s:>10}' for c in r[:5]) + f'   {r[5]}' for r in rows)


def report(found, seed, most=3):
    "Collect results; print failures as they come, a few of each sort."
    results, seen = [], Counter()
    for r in found:
        results.append(r)
        sort = (r.error.split(':')[0], r.place.split(' <')[0])
        seen[sort] += r.outcome == 'failed'
        if r.outcome == 'failed' and seen[sort] <= most:
            print(one_line(r, seed), flush=True)
    for (error, place), n in seen.most_common():
        if n > most:
            print(f'{n} of the sort {error} [{place}]')
    return results


def repeat_case(case, seed, base, scratch):
    "One input again, in this process, with its traceback."
    kind, number = case.split(':')
    rng, here = Chance(seed, kind, int(number)), scratch/'case'
    here.mkdir()
    try:
        print(cases[kind](rng, here, base))
    finally:
        print('after', rng.did)


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('--n', type=int, default=20000, help='inputs')
    ap.add_argument('--seed', type=int, default=0, help='the same seed gives the same inputs')
    ap.add_argument('--only', choices=cases, help='one kind of input')
    ap.add_argument('--case', help='repeat one input, such as csv:17, and show its traceback')
    ap.add_argument('--workers', type=int, default=min(2, os.cpu_count()), help='processes')
    a = ap.parse_args()
    with tempfile.TemporaryDirectory(dir='/dev/shm' if os.path.isdir('/dev/shm') else None) as d:
        base, scratch = Path(d).resolve()/'base', Path(d).resolve()/'scratch'
        base.mkdir()
        scratch.mkdir()
        write_base(base)
        if a.case:
            repeat_case(a.case, a.seed, base, scratch)
            return 0
        results = report(run_all(jobs_for(a.n, a.only), a.workers, partial(Worker, a.seed, base, scratch)), a.seed)
    failed = sum(r.outcome == 'failed' for r in results)
    print(table_of(results))
    print(f'{len(results)} inputs, {failed} failures (seed {a.seed})')
    return int(failed > 0)


if __name__ == '__main__':
    sys.exit(main())
