"""Time and memory against size over two decades, for nbs/results/growth.csv: python growth.py [NAME ...].

Six things that grow with a data set, each at five sizes, a factor of ten over two steps. Seconds are those of the
processor (all threads of this process), which a busy machine changes less than the clock; both are written, with the load
of the machine. Memory is the peak beyond what was in use before. Linux alone tells it.
"""
import ctypes, os, shutil, sys, tempfile, time
from pathlib import Path
import numpy as np, pandas as pd, torch
from dpa_reid.data.check import check_dataset
from dpa_reid.data.pack import pack_images
from dpa_reid.data.manifest import read_manifest
from dpa_reid.scores.metrics import evaluate_retrieval
from dpa_reid.scores.rerank import k_reciprocal
from dpa_reid.synth.dataset import synth_uav
from dpa_reid.use.gallery import Gallery
from dpa_reid.use.enrolment import GalleryInfo  # noqa: F401  (enrolment adds `compact` to the class)

csv = Path(__file__).with_suffix('.csv')
work = Path(tempfile.mkdtemp(dir=os.environ.get('TMPDIR')))
decades = [100, 316, 1000, 3162, 10_000]


def made_up(n, dim=128):
    "Vectors of n/20 vehicles, and their identities."
    t = torch.Generator().manual_seed(0)
    ids = torch.arange(n) % max(2, n//20)
    return torch.randn(int(ids.max()) + 1, dim, generator=t)[ids] + 1.2*torch.randn(n, dim, generator=t), ids.numpy()


def status(key): return next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith(key))/1024


def measured(f):
    "Seconds of the processor and of the clock, and MiB beyond what was in use."
    ctypes.CDLL('libc.so.6').malloc_trim(0)
    Path('/proc/self/clear_refs').write_text('5')
    before, cpu, begun = status('VmRSS'), time.process_time(), time.perf_counter()
    f()
    times = time.process_time() - cpu, time.perf_counter() - begun
    return dict(cpu_s=times[0], seconds=times[1], peak_mib=status('VmHWM') - before)


def evaluation(n):
    x, ids = made_up(n)
    return lambda: evaluate_retrieval(x[:n//10], x[n//10:], ids[:n//10], ids[n//10:])


def reranking(n):
    x, _ = made_up(n)
    return lambda: sum(map(len, k_reciprocal(x[:n//10], x[n//10:], progress=False)))


def drawing(n):
    return lambda: synth_uav(work/f'set{n}', n_ids=max(4, n//10), n_imgs=10, size=64, masks=False, progress=False)


def checking(n): return lambda: check_dataset(work/f'set{n}'/'labels.csv', n_workers=1, progress=False)


def packing(n):
    df = read_manifest(work/f'set{n}'/'labels.csv')
    return lambda: pack_images(df, work/f'{n}.pack', size=64, n_workers=1, progress=False)


def gallery(n):
    x, ids = made_up(n, 64)
    def fill():
        g = Gallery(work/f'gallery{n}')
        for i in range(0, n, 10_000):
            part = slice(i, min(n, i + 10_000))
            rows = pd.DataFrame(dict(image_id=[f'{j:032x}' for j in range(part.start, part.stop)], pid=ids[part], camid=0))
            g.add(x[part].numpy(), rows)
        g.compact()
        for q in x[:10].numpy(): g.search(q[None])
    return fill


# how the size is counted, the sizes, and what is done
things = {'evaluation': ('gallery images, a tenth of them queries, 128 features', [10*n for n in decades], evaluation),
          're-ranking': ('images, 128 features', [3*n for n in decades], reranking),
          'drawing': ('images of 64 pixels', [n//2 for n in decades], drawing),
          'checking': ('images', [n//2 for n in decades], checking),
          'packing': ('images', [n//2 for n in decades], packing),
          'galleries': ('vectors of 64 features, added, indexed and searched', [10*n for n in decades], gallery)}


def warm_up(name, make, n):
    "Loads what is loaded at first use, and leaves the drawings alone."
    make(n)()
    for made in (work/f'gallery{n}', work/f'{n}.pack', work/f'set{n}' if name == 'drawing' else work/'none'):
        shutil.rmtree(made, True) if made.is_dir() else made.unlink(missing_ok=True)


def main(names):
    rows = pd.read_csv(csv).query('thing not in @names').to_dict('records') if csv.exists() else []
    for i in range(len(decades)):
        for name in names:
            what, sizes, make = things[name]
            if not i: warm_up(name, make, sizes[0])
            load = os.getloadavg()[0]
            row = measured(make(sizes[i]))
            rows.append(dict(thing=name, size=sizes[i], what=what) | row | dict(load=load, threads=torch.get_num_threads()))
            print(rows[-1], flush=True)
            pd.DataFrame(rows).sort_values(['thing', 'size']).round(4).to_csv(csv, index=False)
    shutil.rmtree(work)


if __name__ == '__main__': main(sys.argv[1:] or list(things))
