"""Scores at the largest sizes of the field, for nbs/results/large_scores.csv: python large_scores.py [STAGE ...].

Stages: vru, wild, wild-untrained, wild-collapsed (evaluation from the disk, beside the product of all queries with all
gallery images, in memory, in the same process), rerank, rerank-half and rerank-quarter (k-reciprocal re-ranking and its
exact search alone, at the size of VERI-Wild, half and a quarter of it), clusters, -half and -quarter (with approximate
neighbors). The vectors are made up: a center for each vehicle and noise, 2,048 features, of length 1. Threads are those
of OMP_NUM_THREADS; rows of several threads stand beside those of one. Each stage is a process of its own; its row says
the load of the machine as it began. Needs 3 GB of disk for a stage and gives it back.
"""
import ctypes, json, os, shutil, subprocess, sys, tempfile, time
from pathlib import Path
import numpy as np, pandas as pd, torch
from dpa_reid.scores.approximate import by_clusters
from dpa_reid.scores.distance import neighbor_lists
from dpa_reid.scores.metrics import evaluate_retrieval
from dpa_reid.scores.points import point_pair
from dpa_reid.scores.rerank import k_reciprocal

csv, dim = Path(__file__).with_suffix('.csv'), 2048
# queries, gallery images, vehicles
sizes = {'vru': (83_595, 8_000, 8_000), 'wild': (10_000, 138_517, 10_000), 'half': (5_000, 69_258, 5_000),
         'quarter': (2_500, 34_629, 2_500)}


def labels(size):
    "Identities of queries and gallery, and their cameras: one gallery image each at VRU, about fourteen at VERI-Wild."
    nq, ng, n_ids = sizes[size]
    r = np.random.default_rng(0)
    g = np.arange(ng) if ng == n_ids else r.integers(n_ids, size=ng)
    q = r.integers(n_ids, size=nq) if ng == n_ids else r.permutation(n_ids)[:nq]
    return q, g, r.integers(8, size=nq), 8 + r.integers(8, size=ng)


def write(file, ids, noise, seed):
    "Vectors (N, 2048) of length 1 into a .npy file, 2,048 at a time; all alike where `noise` is 0."
    centers = np.random.default_rng(1).standard_normal((10_000, dim), np.float32)
    out, r = np.lib.format.open_memmap(file, 'w+', np.float32, (len(ids), dim)), np.random.default_rng(seed)
    for i in range(0, len(ids), 2048):
        at = ids[i:i+2048] if noise else np.zeros_like(ids[i:i+2048])
        x = centers[at] + np.float32(noise)*r.standard_normal((len(at), dim), np.float32)
        out[i:i+2048] = x/np.linalg.norm(x, axis=1, keepdims=True)
    out.flush()


def status(key): return next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith(key))/1024


def measured(f):
    "What `f` returns; seconds of the clock and of the processor, and MiB beyond what was in use before."
    ctypes.CDLL('libc.so.6').malloc_trim(0)
    Path('/proc/self/clear_refs').write_text('5')
    before, cpu, begun = status('VmRSS'), time.process_time(), time.perf_counter()
    out = f()
    return out, dict(seconds=time.perf_counter() - begun, cpu_s=time.process_time() - cpu,
                     peak_mib=status('VmHWM') - before)


def product(q, g, rows, columns):
    "All dot products, block by block, and nothing else."
    for i in q.split(rows):
        for j in g.split(columns): i @ j.T


def evaluation(folder, size):
    "Evaluation from the disk, then in memory, then the product in blocks that are fastest on this processor."
    q_pids, g_pids, *cams = labels(size)
    from_disk, there = measured(lambda: evaluate_retrieval(folder/'q.npy', folder/'g.npy', q_pids, g_pids, *cams))
    yield dict(what='evaluation from the disk', mAP=from_disk.mAP, **there)
    q, g = (torch.from_numpy(np.load(folder/f'{s}.npy')) for s in 'qg')
    in_memory, here = measured(lambda: evaluate_retrieval(q, g, q_pids, g_pids, *cams))
    same = bool((in_memory.ap == from_disk.ap).all() and (in_memory.first_hit == from_disk.first_hit).all())
    yield dict(what='evaluation in memory', mAP=in_memory.mAP, same_bits=same, **here)
    yield dict(what='product alone', **measured(lambda: product(q, g, 512, 2048))[1])


def reranking(folder, size, share=None):
    "Exact neighbors alone (where no share is given), re-ranking, and the score of what comes out."
    q_pids, g_pids, *cams = labels(size)
    q, g = (torch.from_numpy(np.load(folder/f'{s}.npy')) for s in 'qg')
    how = {} if share is None else dict(propose=by_clusters(share))
    name = 're-ranking' if share is None else f'approximate, {share:g} of the clusters'
    s, first = measured(lambda: k_reciprocal(q, g, progress=False, **how))
    yield dict(what=name, **first)
    score, last = measured(lambda: evaluate_retrieval(q, g, q_pids, g_pids, *cams, distances=s))
    yield dict(what=f'{name}: all final distances, scored', mAP=score.mAP, **last)
    if share is not None: return
    x = torch.cat([q, g])
    p = point_pair(x, x, 'cosine')
    yield dict(what='exact neighbors alone', **measured(lambda: neighbor_lists(*p, 21))[1])


stages = {'vru': ('vru', 3.5, evaluation), 'wild': ('wild', 3.5, evaluation), 'wild-untrained': ('wild', 1e3, evaluation),
          'wild-collapsed': ('wild', 0, evaluation), 'rerank-half': ('half', 3.5, reranking),
          'rerank': ('wild', 3.5, reranking), 'rerank-quarter': ('quarter', 3.5, reranking),
          'clusters': ('wild', 3.5, lambda *a: reranking(*a, share=.1)),
          'clusters-half': ('half', 3.5, lambda *a: reranking(*a, share=.1)),
          'clusters-quarter': ('quarter', 3.5, lambda *a: reranking(*a, share=.1))}


def named(stage):
    "The name of a stage in the table, with the number of threads where it is not one."
    n = torch.get_num_threads()
    return stage if n == 1 else f'{stage}, {n} threads'


def run(stage):
    "Prints the rows of a stage as JSON, each as soon as it is known."
    size, noise, f = stages[stage]
    stage = named(stage)
    folder, load = Path(tempfile.mkdtemp(dir=os.environ.get('TMPDIR'))), os.getloadavg()[0]
    try:
        q_pids, g_pids, *_ = labels(size)
        for s, ids, seed in (('q', q_pids, 2), ('g', g_pids, 3)): write(folder/f'{s}.npy', ids, noise, seed)
        for row in f(folder, size):
            about = dict(stage=stage, queries=len(q_pids), gallery=len(g_pids), dim=dim)
            print(json.dumps(about | row | dict(load=load, threads=torch.get_num_threads())), flush=True)
    finally: shutil.rmtree(folder)


def main(names):
    for name in names:
        old = pd.read_csv(csv) if csv.exists() else pd.DataFrame(dict(stage=[]))
        rows = old[old.stage != named(name)].to_dict('records')
        with subprocess.Popen([sys.executable, __file__, '--one', name], stdout=subprocess.PIPE, text=True) as child:
            for line in child.stdout:
                print(line, end='', flush=True)
                rows.append(json.loads(line))
                pd.DataFrame(rows).to_csv(csv, index=False, float_format='%.6g')


if __name__ == '__main__': run(sys.argv[2]) if sys.argv[1:2] == ['--one'] else main(sys.argv[1:] or list(stages))
