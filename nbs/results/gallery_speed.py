"""A gallery of drawn vectors beside NumPy, for nbs/results/gallery_speed.csv: python gallery_speed.py [N] [D] [folder].

The vectors are those of N/10 vehicles, ten images each: a center of 64 random directions with falling weights, and noise
in all directions. Rates and times are of one process on the cores that are free, so only their ratios mean something.
"""
import resource, shutil, sys, tempfile, time
from pathlib import Path
import numpy as np, pandas as pd
from dpa_reid.core import versions
from dpa_reid.use.gallery import Gallery
from dpa_reid.use.enrolment import GalleryInfo  # noqa: F401  (enrolment adds `compact` and `info` to the class)

csv = Path(__file__).with_suffix('.csv')


def drawn(n, dim, batch=10_000, seed=0):
    "Yields rows and vectors, in batches."
    rng = np.random.default_rng(seed)
    basis = (rng.normal(size=(64, dim))*np.linspace(1, .1, 64)[:, None]).astype(np.float32)
    for i in range(0, n, batch):
        at = np.arange(i, min(i + batch, n))
        centers = np.repeat(rng.normal(size=(len(at)//10 + 1, 64)).astype(np.float32) @ basis, 10, 0)[:len(at)]
        vectors = centers + 1.5*rng.standard_normal((len(at), dim), dtype=np.float32)
        rows = pd.DataFrame(dict(image_id=[f'{j:032x}' for j in at], pid=at//10, camid=at % 100))
        yield rows, vectors/np.linalg.norm(vectors, axis=1, keepdims=True)


def peak_mib(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024


def timed(f, queries):
    "Milliseconds of `f` for each query, and what it returned."
    found, times = [], []
    for q in queries:
        begun = time.perf_counter()
        found.append(f(q))
        times.append(1e3*(time.perf_counter() - begun))
    return np.array(times), found


def fill(gallery, n, dim, every):
    "Adds the vectors and keeps every so many as queries; returns the queries and seconds of adding."
    seconds, queries = 0, []
    for rows, vectors in drawn(n, dim):
        queries.append(vectors[::every])
        begun = time.perf_counter()
        gallery.add(vectors, rows)
        seconds += time.perf_counter() - begun
    queries = np.concatenate(queries)[:200]
    noise = np.random.default_rng(1).normal(size=queries.shape).astype(np.float32)
    return queries + .5*noise/np.linalg.norm(noise, axis=1, keepdims=True), seconds


def brute(gallery, n, dim):
    "All vectors in one array, and the search of NumPy."
    matrix, ids = np.empty((n, dim), np.float32), []
    for rows, vectors in gallery.engine.scan((), ['image_id'], vectors=True):
        matrix[len(ids):len(ids) + len(rows)] = vectors
        ids += rows.image_id.tolist()
    ids = np.array(ids)
    def search(q):
        similarity = matrix @ q
        top = np.argpartition(-similarity, 10)[:10]
        return ids[top[np.argsort(-similarity[top])]]
    return search


def measure(n, dim, folder):
    "Everything that is measured, by name."
    gallery, out = Gallery(folder), dict(n=n, dim=dim, peak_mib_start=peak_mib())
    queries, seconds = fill(gallery, n, dim, max(1, n//200))
    out['add_rows_s'] = n/seconds
    begun = time.perf_counter()
    gallery.compact()
    out |= dict(compact_s=time.perf_counter() - begun, peak_mib_build=peak_mib())
    index = gallery.engine.about()['index'] or {}
    out |= {k: index.get(k) for k in ('cells', 'probes')} | dict(recall_told=index.get('recall'))
    ids = lambda a: a.table.image_id.to_numpy()
    ways = dict(search=lambda q: ids(gallery.search(q)), exact=lambda q: ids(gallery.search(q, exact=True)),
                filtered=lambda q: ids(gallery.search(q, where=dict(camid=7))))
    found = {}
    for name, f in ways.items():
        timed(f, queries[:3])
        times, found[name] = timed(f, queries if name == 'search' else queries[:20])
        out |= {f'{name}_p50_ms': np.median(times), f'{name}_p95_ms': np.percentile(times, 95)}
    begun = time.perf_counter()
    gallery.search(queries, 10)
    out |= dict(batch_200_queries_s=200/(time.perf_counter() - begun), peak_mib_search=peak_mib())
    out['disk_mib'] = sum(f.stat().st_size for f in Path(folder).rglob('*') if f.is_file())/2**20
    return out | compare(gallery, n, dim, queries, found)


def compare(gallery, n, dim, queries, found):
    "NumPy's times in the same process, and the recall of the gallery's answers against it."
    search = brute(gallery, n, dim)
    timed(search, queries[:3])
    times, real = timed(search, queries[:200 if n <= 100_000 else 50])
    recall = {k: np.mean([len(set(a) & set(b))/10 for a, b in zip(v, real)]) for k, v in found.items() if k != 'filtered'}
    return dict(numpy_p50_ms=np.median(times), numpy_p95_ms=np.percentile(times, 95), recall_search=recall['search'],
                recall_exact=recall['exact'], peak_mib_with_numpy=peak_mib())


if __name__ == '__main__':
    n, dim = (int(v) for v in (sys.argv[1:3] + ['100000', '512'][len(sys.argv[1:3]):]))
    folder = Path(tempfile.mkdtemp(dir=sys.argv[3] if len(sys.argv) > 3 else None))/'gallery'
    row = pd.DataFrame([measure(n, dim, folder) | dict(lancedb=__import__('lancedb').__version__, **versions())])
    shutil.rmtree(folder.parent)
    if csv.exists(): row = pd.concat([pd.read_csv(csv).query(f'n != {n} or dim != {dim}'), row])
    row.sort_values(['n', 'dim']).round(4).to_csv(csv, index=False)
    print(row.T.to_string())
