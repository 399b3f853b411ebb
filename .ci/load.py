"""The search page under load: many clients at once, the times of their requests, and the memory of the server.

usage: python .ci/load.py [--clients 32] [--n 2000] [--at FOLDER] [--most-growth 64]

Draws the gallery of `.ci/browser.py`, starts `dpa_serve` as a process, and sends requests from threads with a connection
each: half of them search for a picture that the server has not seen before (by the JSON interface), the others are pages
of answers, pictures and first pages, in random order. Prints a table of times, and the memory before, during and after.
Fails for a request without an answer, and where the memory of the second half of the requests is on average more than
`--most-growth` MiB above that of the quarter before: by then all that is kept (the newest pictures, rows and vectors) is there.
"""
import argparse, http.client, io, json, random, re, signal, sys, tempfile, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np, pandas as pd
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent))
from browser import draw, serve

local = threading.local()


def unlike(path, i):
    "A picture that no one has sent: one with its number in a few pixels."
    im = np.asarray(Image.open(path).convert('RGB')).copy()
    im[0, :4] = np.frombuffer(np.array([i]*2, '<u8').tobytes()[:12], np.uint8).reshape(4, 3)
    out = io.BytesIO()
    Image.fromarray(im).save(out, 'PNG')
    return out.getvalue()


def ask(at, method, path, body=None, headers=None):
    "One request over this thread's connection: status and seconds."
    begun = time.perf_counter()
    if not hasattr(local, 'c'): local.c = http.client.HTTPConnection(at, timeout=600)
    local.c.request(method, path, body, headers or {})
    reply = local.c.getresponse()
    reply.read()
    return reply.status, time.perf_counter() - begun


def requests(n, files, ids, seed=0):
    "The requests, shuffled: kind, method, path, body, headers."
    jobs = [('search a new picture', 'POST', '/api/search?k=10', files[i % len(files)], {'Content-Type': 'image/png'}) for i in range(n//2)]
    jobs += [('page of answers', 'GET', f'/search?g={ids[i % len(ids)]}', None, {}) for i in range(n//5)]
    jobs += [('picture', 'GET', f'/picture?id={ids[i % len(ids)]}', None, {}) for i in range(n//5)]
    jobs += [('first page', 'GET', '/', None, {})]*(n - len(jobs))
    random.Random(seed).shuffle(jobs)
    return [(i, *j) for i, j in enumerate(jobs)]


def memory(pid): return int(re.search(r'VmRSS:\s+(\d+)', Path(f'/proc/{pid}/status').read_text())[1])/1024


def image_ids(at, file):
    "The ids of the gallery's images, by a search."
    c = http.client.HTTPConnection(at, timeout=600)
    c.request('POST', '/api/search?k=50&max_distance=none', unlike(file, 0), {'Content-Type': 'image/png'})
    return [a['image_id'] for a in json.loads(c.getresponse().read())['answers']]


def send(at, pid, clients, folder, jobs):
    "Sends all requests; what each took, and the memory of the server at each tenth of the way, MiB."
    done, used = [], [memory(pid)]
    def one(job):
        i, kind, method, path, body, headers = job
        body = body and unlike(folder/'images'/body, i + 1)
        done.append((kind, *ask(at, method, path, body, headers)))
        if len(done) % (len(jobs)//10) == 0: used.append(memory(pid))
    with ThreadPoolExecutor(clients) as pool: list(pool.map(one, jobs))
    return pd.DataFrame(done, columns=['request', 'status', 'seconds']), used


def run(folder, clients, n):
    "A server of its own under load."
    if not (folder/'shown.csv').exists(): draw(folder)
    files = pd.read_csv(folder/'images'/'labels.csv').path.tolist()
    server, url = serve(folder)
    at = url.removeprefix('http://').rstrip('/')
    try: return send(at, server.pid, clients, folder, requests(n, files, image_ids(at, folder/'images'/files[0])))
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)


def table(t):
    "Times in milliseconds, of all requests and by kind."
    rows = [(k, len(g), *(1000*g.seconds.quantile(q) for q in (.5, .95, 1))) for k, g in [('all', t), *t.groupby('request')]]
    columns = ['request', 'n', 'p50 ms', 'p95 ms', 'max ms']
    return pd.DataFrame(rows, columns=columns).to_string(index=False, float_format='{:.0f}'.format)


def growth(used):
    "MiB by which the second half of the way is above the quarter before it, on average; the first quarter warms up."
    a, b = len(used)//4, len(used)//2
    return float(np.mean(used[b:]) - np.mean(used[a:b]))


def arguments():
    "What was asked for."
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('--clients', type=int, default=32, help='clients at once')
    ap.add_argument('--n', type=int, default=2000, help='requests')
    ap.add_argument('--at', help='folder of the drawn vehicles, to use them again')
    ap.add_argument('--most-growth', type=float, default=64, help='MiB that the memory may grow by on the second half of the way')
    return ap.parse_args()


def main():
    a = arguments()
    begun = time.time()
    with tempfile.TemporaryDirectory() as d: t, used = run(Path(a.at or d), a.clients, a.n)
    wall, wrong = time.time() - begun, t[t.status != 200]
    print(f'{len(t)} requests of {a.clients} clients, {len(wrong)} of them without an answer; {wall:.0f} s in all, start included')
    print(table(t))
    print('memory of the server at each tenth, MiB: ' + ' '.join(f'{m:.0f}' for m in used))
    print(f'growth on the second half of the way: {growth(used):.0f} MiB, {a.most_growth:g} are allowed')
    return int(len(wrong) > 0 or growth(used) > a.most_growth)


if __name__ == '__main__': sys.exit(main())
