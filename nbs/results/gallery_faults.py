"""What a gallery survives, for nbs/results/gallery_faults.txt: python gallery_faults.py --help.

kill      a process that enrols is killed (SIGKILL) at a random moment; every row that it was told of must be there, whole;
          the same enrolment is then given again and must end with all rows.
reader    a second process searches and counts while a first one adds, removes and tidies up.
full      the disk becomes full while rows are added (a small tmpfs, else a limit on the size of files), and empty again.
damage    bytes of the data files are changed; no search may return another answer than before without a word.

Processes are forks of this one, which has imported the library and started no engine.
"""
import argparse, os, random, resource, shutil, signal, subprocess, sys, tempfile, time
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
import numpy as np, pandas as pd
from PIL import Image
from dpa_reid.all import Embedder, ReIDError, reid_net, set_seed, set_threads
from dpa_reid.core import versions
from dpa_reid.use.gallery import Gallery
from dpa_reid.use.enrolment import *

fork, n_images = get_context('fork'), 240


def spawn(f, *args):
    "A fork that runs `f` in a session of its own, with its output in a pipe."
    def job(out):
        os.setsid()
        os.dup2(out, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        f(*args)
        sys.stdout.flush()
    read, write = os.pipe()
    process = fork.Process(target=job, args=(write,))
    process.start()
    os.close(write)
    return process, os.fdopen(read)


def ask(f, *args):
    "What `f` prints in a fork, as lines."
    process, out = spawn(f, *args)
    lines = out.read().splitlines()
    process.join()
    if process.exitcode: raise RuntimeError(f'{f.__name__} ended with {process.exitcode}: {lines[-3:]}')
    return lines


def made(folder):
    "A manifest of small drawn images, and a network that has seen nothing."
    rng = np.random.default_rng(0)
    for i in range(n_images): Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(folder/f'{i:03}.png')
    df = pd.DataFrame(dict(path=[str(folder/f'{i:03}.png') for i in range(n_images)], pid=np.arange(n_images)//4, camid=0))
    set_seed(0)
    return df, Embedder(reid_net('test_resnet', 2, pretrained=False).eval(), size=32, progress=False)


def enrol(place, df, embedder):
    "Enrols, saying after each batch how many rows are safe; then removes a vehicle, tidies up and enrols it again."
    gallery = Gallery(place, embedder)
    gallery.index_from = 64
    gallery.enrol(df, 8, on_batch=lambda done: print(done.added + done.known, flush=True))
    gallery.remove(dict(pid=0))
    gallery.compact()
    gallery.enrol(df[:4], 8)
    print('end', flush=True)


def state(place, df, embedder, told):
    "Of the first `told` rows of the manifest, how many are there; all rows; damaged rows."
    gallery = Gallery(place, embedder)
    if gallery.engine.about() is None: return print(0, 0, 0)
    found = pd.concat([r for r, _ in gallery.engine.scan((), ['path'])] or [pd.DataFrame(dict(path=[]))])
    safe = df.path[4:told] if told > 4 else df.path[:0]               # the first vehicle is removed and comes again
    print(int(safe.isin(found.path).sum()), len(found), len(gallery.info(verify=True)['damaged']))


def kills(folder, n, suffix, rng):
    "Kills enrolments; returns the number of rows lost that had been acknowledged, and of galleries that could not go on."
    df, embedder = made(folder)
    begun = time.time()
    assert ask(enrol, folder/f'whole{suffix}', df, embedder)[-1] == 'end'
    seconds, lost, stuck, at_work = time.time() - begun, 0, 0, 0
    print(f'undisturbed: {n_images} images in {seconds:.1f} s')
    for i in range(n):
        place = folder/f'kill{i}{suffix}'
        process, out = spawn(enrol, place, df, embedder)
        after = rng.uniform(.1, 1)*seconds
        time.sleep(after)
        try: os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError: pass
        lines = out.read().split()
        process.join()
        told = max([int(v) for v in lines if v.isdigit()], default=0)
        at_work += 'end' not in lines
        safe, total, damaged = map(int, ask(state, place, df, embedder, told)[-1].split())
        missing = max(0, told - 4) - safe
        try: ask(enrol, place, df, embedder)
        except RuntimeError as e: stuck, total = stuck + 1, f'{total}, and it could not go on ({e})'
        else: after_all = ask(state, place, df, embedder, n_images)[-1].split()[:2]
        whole = after_all == [str(n_images - 4), str(n_images)]
        lost, stuck = lost + missing, stuck + (not whole)
        print(f'kill {i}: after {after:.1f} s, {told} rows told, {missing} of them lost, {damaged} damaged, {total} there; '
              f'given again: {"all rows" if whole else after_all}', flush=True)
        (shutil.rmtree if place.is_dir() else os.remove)(place)
    print(f'kill: {n} tries, {at_work} met the process at work, {lost} acknowledged rows lost, {stuck} galleries could not go on\n')
    return lost + stuck


def vectors_of(n, seed=0):
    "Drawn vectors of 64 numbers with rows."
    v = np.random.default_rng(seed).normal(size=(n, 64)).astype(np.float32)
    return v, pd.DataFrame(dict(image_id=[f'{seed:04}-{i:06}' for i in range(n)], pid=np.arange(n) % 50, path=''))


def write(place, batches):
    "Adds batches, removes some rows now and then and tidies up."
    gallery = Gallery(place)
    for i in range(batches):
        gallery.add(*vectors_of(50, i))
        if i % 10 == 9:
            gallery.remove(ids=[f'{i:04}-{j:06}' for j in range(5)])
            gallery.compact()
    print('end')


def read(place, seconds):
    "Searches and counts for a while; says how often, what failed, and whether a row that stays was ever missed."
    gallery, v, begun = Gallery(place), vectors_of(50)[0], time.time()
    searches, failures, missed, counts = 0, [], 0, []
    while time.time() - begun < seconds and (not counts or counts[-1] < 50*60 - 30):
        try:
            found = gallery.search(v[searches % 50], 3).table
            missed += found.image_id.iloc[0] != f'0000-{searches % 50:06}'
            counts.append(len(gallery))
            searches += 1
        except ReIDError as e: failures.append(str(e)[:200])
    print(searches, len(failures), missed, counts[0], counts[-1], failures[:1])


def reader(folder):
    "A reader beside a writer."
    place = folder/'shared'
    ask(lambda: Gallery(place).add(*vectors_of(50, 0)))
    writer, written = spawn(write, place, 60)
    lines = [ask(read, place, 120)[-1]]
    assert written.read().split()[-1] == 'end'
    writer.join()
    searches, failed, missed, *rest = lines[0].split(' ', 5)
    print(f'reader: {searches} searches beside 60 additions, 6 removals and 6 tidyings by another process: {failed} failed, '
          f'{missed} missed a row; it counted {rest[0]} to {rest[1]} rows {rest[2]}\n')
    return int(failed) + int(missed)


def fill(place, limit, ballast):
    "Adds until it fails; then frees space and goes on."
    gallery, told = Gallery(place), 0
    try:
        for i in range(1000):
            if limit and i == 20: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            told += gallery.add(*vectors_of(500, i))
    except ReIDError as e: print(told, '|', str(e).replace(str(place), place.name)[:260])
    found = Gallery(place)
    print(len(found), '|', len(found.info(verify=True)['damaged']), '|', found.search(vectors_of(500, 0)[0][0], 1).table.image_id[0])
    if limit: resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    if ballast: ballast.unlink()
    print(found.add(*vectors_of(500, 2000)), '|', len(found))


def full(folder):
    "A full disk, by a small tmpfs where this user may mount one, and a limit on the size of files."
    wrong = 0
    small = folder/'small'
    small.mkdir()
    mounted = not subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', str(small)], capture_output=True).returncode
    for how in (['tmpfs'] if mounted else []) + ['file size limit']:
        place, ballast = (small/'g', small/'ballast') if how == 'tmpfs' else (folder/'limited', None)
        if ballast: ballast.write_bytes(bytes(4*2**20))
        told, kept, again = ask(fill, place, None if ballast else 100_000, ballast)
        rows, damaged, first = kept.split(' | ')
        bad = int(told.split()[0]) != int(rows) or damaged != '0' or first != '0000-000000' or again.split(' | ')[0] != '500'
        wrong += bad
        print(f'full disk ({how}): {told}\n  then {rows} rows there, {damaged} damaged, search answers; with space again: +{again}')
    if mounted: subprocess.run(['umount', str(small)], check=True)
    print()
    return wrong


def content(place):
    "Answers to a few searches and all rows, as text; or what was refused."
    try:
        gallery = Gallery(place)
        info = gallery.info(verify=True)
        found = [gallery.search(v, 5, exact=e).table.to_csv() for v in vectors_of(5, 0)[0] for e in (False, True)]
        rows = pd.concat([r for r, _ in gallery.engine.scan()]).sort_values('image_id').to_csv()
        print('damaged' if info['damaged'] else 'same', hash_of(found), hash_of([rows]))
    except ReIDError as e: print('refused', str(e)[:160].replace('\n', ' '))


def hash_of(texts): return __import__('hashlib').sha256('|'.join(texts).encode()).hexdigest()[:16]


def build(place):
    "A gallery of 2,000 rows in files of several ages, with an index."
    gallery = Gallery(place)
    gallery.index_from = 500
    for i in range(4): gallery.add(*vectors_of(500, i))
    gallery.compact()
    gallery.add(*vectors_of(500, 4))


def damage(folder, tries, rng):
    "Changes bytes of files that hold rows; an answer may be refused, and may not change."
    place = folder/'damage'
    ask(build, place)
    was = ask(content, place)[-1]
    files = [f for f in place.rglob('*') if f.is_file() and 'about' not in str(f) and f.stat().st_size]
    counts = dict(harmless=0, refused=0, found=0, silent=0)
    for i in range(tries):
        file = rng.choice([f for f in files if f.suffix == '.lance'] if i % 4 else files)
        kept = file.read_bytes()
        at = rng.randrange(len(kept))
        changed = bytearray(kept) if i % 5 else bytearray(kept[:at])                       # cut short
        for j in range(at, min(at + rng.choice((1, 64, 4096)), len(changed))): changed[j] ^= rng.randrange(1, 256)
        file.write_bytes(bytes(changed))
        try: now = ask(content, place)[-1]
        except RuntimeError as e: now = f'crashed {e}'
        kind = ('harmless' if now == was else 'refused' if now.startswith('refused') else 'found' if now.startswith('damaged')
                else 'silent')
        counts[kind] += 1
        if kind == 'silent': print(f'  silent: {file.relative_to(place)} at {at} of {len(kept)}: {now}')
        file.write_bytes(kept)
    print(f'damage: {tries} changes to files: {counts["refused"]} refused in a sentence, {counts["found"]} found by the checksums, '
          f'{counts["harmless"]} without effect, {counts["silent"]} changed an answer or a row without a word\n')
    return counts['silent']


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('--kills', type=int, default=30)
    ap.add_argument('--changes', type=int, default=60)
    ap.add_argument('--engine', choices=('lance', 'milvus'), default='lance')
    ap.add_argument('--seed', type=int, default=0)
    ap.add_argument('--only', nargs='*', default=[])
    a = ap.parse_args()
    set_threads(1)
    rng, folder, failed = random.Random(a.seed), Path(tempfile.mkdtemp()), 0
    engines = dict(lance=('lancedb',), milvus=('pymilvus', 'milvus_lite'))[a.engine]
    print('$ python nbs/results/gallery_faults.py', *sys.argv[1:])
    print(', '.join(f'{k} {v}' for k, v in {**versions(), **{e: version(e) for e in engines}}.items()), flush=True)
    print('Two cores that other work shared.\n')
    trials = dict(kill=lambda: kills(folder, a.kills, '.db' if a.engine == 'milvus' else '', rng))
    if a.engine == 'lance':
        trials |= dict(reader=lambda: reader(folder), full=lambda: full(folder), damage=lambda: damage(folder, a.changes, rng))
    for name, f in trials.items():
        if not a.only or name in a.only: failed += f()
    shutil.rmtree(folder)
    print(f'{failed} failures')
    return int(failed > 0)


if __name__ == '__main__': sys.exit(main())
