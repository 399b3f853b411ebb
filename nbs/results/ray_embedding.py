"""Small crops by one and by two actors, for nbs/results/ray_embedding.csv: python ray_embedding.py [images] [folder].

The crops are 2,500 drawn vehicles of 32 x 32 pixels, copied under as many names as are asked for, so that each is read
from the disk and decoded. The network is the library's own at 32 pixels, one thread for each actor; one process says
what an image costs, at 32 and at the network's usual 128 pixels. `load` is the number of processes that wanted a core
of this machine before a measurement began: with two cores, more than a few tenths of other work make two actors look
worse than they are.
"""
import os, shutil, sys, tempfile, time
from functools import partial
from pathlib import Path
import numpy as np, pandas as pd, torch
from dpa_reid.cluster import ray_session
from dpa_reid.data.augment import read_image
from dpa_reid.data.manifest import read_manifest
from dpa_reid.data.places import Place
from dpa_reid.synth.dataset import synth_uav
from dpa_reid.train.embed import Embedder
from dpa_reid.use.embedding_files import embedder_meta
from dpa_reid.use.ray_embedding import PartEmbedder, embed_with_ray, read_rows_of

csv, size, part = Path(__file__).with_suffix('.csv'), 32, 2_500


def network(side=size): return Embedder(size=side, bs=64, progress=False, name='default')


def draw(folder, n):
    "Writes the crops and a table of `n` of them."
    synth_uav(folder/'drawn', n_ids=250, n_imgs=10, n_cams=2, size=size, masks=False, progress=False)
    drawn = read_manifest(folder/'drawn'/'labels.csv')
    files = [Path(p).read_bytes() for p in drawn.path]
    paths = [folder/'crops'/f'{i//1000:03}'/f'{i:06}.jpg' for i in range(n)]
    for p in {p.parent for p in paths}: p.mkdir(parents=True)
    for i, p in enumerate(paths): p.write_bytes(files[i % len(files)])
    pid = drawn.pid.to_numpy()[np.arange(n) % len(drawn)]
    rows = pd.DataFrame(dict(path=[str(p) for p in paths], pid=pid, camid=0, split='gallery'))
    rows.to_parquet(folder/'rows.parquet')


def timed(f, *args, clock=time.perf_counter):
    begun = clock()
    out = f(*args)
    return out, clock() - begun


def pieces(folder, side):
    "What one image and one part cost in one process with one thread, in time of a core: name, value, unit."
    clock = time.process_time                  # which other processes do not lengthen, but for caches that they empty
    torch.set_num_threads(1)
    n = part*size//side
    rows = read_rows_of(Place(folder), 'rows.parquet', 0, n)
    paths = rows['path'].to_pylist()
    embedder = network(side)
    _, decode = timed(lambda: [read_image(p, (side, side)) for p in paths], clock=clock)
    embedder(paths[:64])
    actor = PartEmbedder(partial(network, side), folder/'one', embedder_meta(embedder), readers=1, threads=1)
    _, whole = timed(actor.embed_part, 0, rows, clock=clock)
    n_bytes = (folder/'one'/'part-000000.parquet').stat().st_size
    features = embedder(paths[:1]).vectors.shape[1]
    return [('decode', 1e3*decode/n, 'ms an image'), ('part', 1e3*whole/n, 'ms an image'),
            ('features', features, 'numbers'), ('stored', n_bytes/n, 'bytes an image')]


def with_actors(folder, n):
    "Seconds of a whole call with `n` actors, and images a second between its first part and its last."
    embedder, out = network(), folder/f'actors{n}'
    begun = time.time()
    with ray_session(n_cpus=2):
        started = time.time() - begun
        done, seconds = timed(partial(embed_with_ray, network, folder/'rows.parquet', out, embedder_meta(embedder),
                                      actors=n, size=part, readers=1, log=lambda line: None))
    ends = sorted(p.stat().st_mtime for p in out.glob('part-*'))
    # the first part of each actor ends late, by the time in which the actors start
    steady = (len(ends) - n)*part/(ends[-1] - ends[n - 1])
    shutil.rmtree(out)
    assert done['images'] == len(ends)*part
    return [('start Ray', started, 's'), ('start to first part', ends[0] - begun - started, 's'),
            ('whole call', seconds, 's'), ('rate', steady, 'images a second')]


if __name__ == '__main__':
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp())
    draw(folder, n)
    lines = []
    actors = [(f'{k} actors', partial(with_actors, folder, k)) for k in (1, 2)]
    alone = [(f'1 process, {side} pixels', partial(pieces, folder, side)) for side in (size, 128)]
    for what, f in (*alone, *actors):
        load = os.getloadavg()[0]
        images = n if 'actors' in what else part*size//int(what.split()[2])
        lines += [dict(what=what, images=images, name=name, value=float(f'{value:.4g}'), unit=unit, load=round(load, 2))
                  for name, value, unit in f()]
        print(pd.DataFrame(lines).to_string(), flush=True)
    pd.DataFrame(lines).to_csv(csv, index=False)
    shutil.rmtree(folder)
