"""Kills commands at random moments, gives them again, and fails where the result is another than undisturbed.

usage: python .ci/kill.py [--n 50] [--seed 0] [--only train|tables|pack|synth|layout]

Each command is run once undisturbed, in a process of its own. Then, at each of `n` moments, it is started, killed
(SIGKILL, sometimes twice in a row), and given again to its end: weights, pictures, packs and tables must be the same to
the bit, times and durations aside. One run in five is a process of its own again; the others are forks of this one,
which has imported the library already, so that most moments fall into the work and few into the imports. All runs have
one thread.
"""
import argparse, json, os, random, re, shutil, signal, subprocess, sys, tempfile, time
from hashlib import sha256
from io import StringIO
from multiprocessing import get_context
from pathlib import Path

os.environ.update(OMP_NUM_THREADS='1', MPLBACKEND='agg')
root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root))

import pandas as pd, torch
from dpa_reid.cli import data as cli_data, models, tables
from dpa_reid.data.pack import open_pack

torch.set_num_threads(1)
drawn = dict(ids=10, images=4, size=32)
network = dict(recipe='scratch', size=32, p=4, k=2, init='none')


def commands(data):
    "Name -> command, what it writes, and its options, without the place to write to."
    return dict(synth=('dpa_synth', 'set', dict(drawn, seed=1)),
                layout=('dpa_synth', 'set', dict(drawn, seed=2, layout='veri_uav')),
                pack=('dpa_pack', 'pack.pt', dict(data=str(data), size=256, fresh=True)),
                train=('dpa_train', 'run', dict(network, data=str(data), arch='resnet10t', epochs=3)),
                tables=('dpa_tables', 'tables', dict(network, data=str(data), arch='test_efficientnet', epochs=1,
                                                     seeds=1, table='3')))


class Run:
    "A command at work: a fork of this process, or a process of its own; it prints into a file."
    def __init__(self, command, where, alone):
        name, out, options = command
        options = {('path' if name == 'dpa_synth' else 'out'): str(where/out), **options}
        self.log, self.begun = where.parent/f'{where.name}.log', time.time()
        self.process = self.own(name, options) if alone else self.fork(name, options)

    def own(self, name, options):
        "The console command, as a person gives it."
        given = [options.pop(k) for k in dict(dpa_synth=['path'], dpa_pack=['data', 'out']).get(name, [])]
        flags = [s for k, v in options.items() for s in ([f'--{k}'] if v is True else [f'--{k}', str(v)])]
        args = [str(Path(sys.executable).parent/name), *given, *flags]
        with open(self.log, 'w') as f:
            return subprocess.Popen(args, stdout=f, stderr=f, stdin=subprocess.DEVNULL, start_new_session=True,
                                    env=dict(os.environ, PYTHONPATH=str(root)))

    def fork(self, name, options):
        "The same, in a fork of this process."
        process = get_context('fork').Process(target=self.forked, args=(name, options))
        process.start()
        return process

    def forked(self, name, options):
        "What the fork does."
        os.setsid()
        with open(self.log, 'w') as f:
            os.dup2(f.fileno(), 1)
            os.dup2(f.fileno(), 2)
        command = next(getattr(m, name) for m in (cli_data, models, tables) if hasattr(m, name))
        command(**options)

    def kill(self, after):
        "Kill it `after` seconds from its start; False where it had ended before."
        time.sleep(max(0, self.begun + after - time.time()))
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.wait() != 0

    def wait(self):
        "Its exit code, once it has ended."
        if isinstance(self.process, subprocess.Popen):
            return self.process.wait(timeout=900)
        self.process.join(900)
        return self.process.exitcode

    def finish(self):
        "The seconds it took; raises where it did not succeed."
        code = self.wait()
        if code:
            raise RuntimeError(f"the command ended with {code}: {self.log.read_text(errors='replace').strip()[-300:]}")
        return time.time() - self.begun


# ---------------------------------------------------------------------------- what a command left behind

clocks = {'seconds', 'images_s', 'waiting', 'peak_mib', 'finished', 'hours'}
set_aside = ('checkpoint.pth', 'stopwatch.json', 'lock')           # what lives from one start to the next


def without_clocks(o):
    "Plain data without the entries that say when and how long."
    if isinstance(o, dict):
        return {k: without_clocks(v) for k, v in o.items() if k not in clocks}
    return [without_clocks(v) for v in o] if isinstance(o, list) else o


def content(file):
    "What decides whether two files are the same: their bytes, but for times."
    if file.suffix == '.json':
        return json.dumps(without_clocks(json.loads(file.read_text())), sort_keys=True).encode()
    if file.suffix == '.pt':
        p = open_pack(file).verify()
        return p.images.numpy().tobytes() + p.manifest.to_csv().encode() + json.dumps(p.meta, sort_keys=True).encode()
    if file.suffix == '.csv':
        df = pd.read_csv(StringIO(file.read_text()), dtype=str)
        return df.drop(columns=[c for c in df if c in clocks]).to_csv().encode()
    if file.suffix == '.md':
        return re.sub(r'\d+(\.\d+)? (s|min|h|images/s|MiB)\b', 'T', file.read_text()).encode()
    return file.read_bytes()


def state_of(where):
    "Relative name -> digest of all that a command left below `where`, and the names of temporary files."
    files = [f for f in where.rglob('*') if f.is_file() and f.name not in set_aside]
    hidden = [f for f in files if any(p.startswith('.') for p in f.relative_to(where).parts)]
    digest = lambda f: sha256(content(f).replace(str(where).encode(), b'W')).hexdigest()
    return {str(f.relative_to(where)): digest(f) for f in files if f not in hidden}, hidden


def difference(was, now):
    "In words, how two states differ; empty where they do not."
    gone, more = sorted(was.keys() - now.keys()), sorted(now.keys() - was.keys())
    other = sorted(k for k in was.keys() & now.keys() if was[k] != now[k])
    found = {'lacks': gone, 'has besides': more, 'differs in': other}
    return '; '.join(f"{what} {', '.join(ks[:4])}" for what, ks in found.items() if ks)


# ---------------------------------------------------------------------------- the test

class Subject:
    "A command, its undisturbed result, and how long it takes in each way of running it."
    def __init__(self, name, command, folder):
        self.name, self.command, self.folder = name, command, folder
        self.seconds = {alone: self.time_of(alone) for alone in (True, False)}

    def time_of(self, alone):
        "Run it undisturbed; both ways must give the same."
        where = self.folder/f'{self.name}_{"alone" if alone else "forked"}'
        where.mkdir()
        seconds = Run(self.command, where, alone).finish()
        state, _ = state_of(where)
        if not alone and (diff := difference(self.state, state)):
            raise SystemExit(f'{self.name}: two undisturbed runs are not the same: {diff} (kept in {self.folder})')
        self.state = state
        return seconds

    def interrupt(self, rng, where, alone):
        "Start it and kill it, until a kill meets it at work; returns the moments as shares of its time."
        moments = []
        for _ in range(1 if rng.random() < .7 else 2):
            begins = .6*self.seconds[True]*alone if rng.random() < .8 else 0    # a process of its own imports first
            after = rng.uniform(begins, self.seconds[alone])
            if Run(self.command, where, alone).kill(after):
                moments.append(round(after/self.seconds[alone], 2))
            elif not moments:                                                   # faster than usual: once more
                shutil.rmtree(where)
                where.mkdir()
        return moments

    def try_once(self, rng, where, alone):
        "Interrupt, run to the end, compare: a sentence that begins with ok or FAIL, and the difference."
        moments = []
        while not moments:
            shutil.rmtree(where, ignore_errors=True)
            where.mkdir()
            moments = self.interrupt(rng, where, alone)
        try:
            if self.name != 'layout' or difference(self.state, state_of(where)[0]):     # a folder that is whole is refused
                Run(self.command, where, alone).finish()
            state, hidden = state_of(where)
            diff = difference(self.state, state)
        except Exception as e:
            diff, hidden = f'{type(e).__name__}: {e}'.replace('\n', ' '), []
        at = ' and '.join(f'{m:.0%}' for m in moments)
        how = f"{self.name}, {'own process' if alone else 'fork'}, killed at {at} of its time"
        left = f' ({len(hidden)} temporary files left)' if hidden else ''
        return f'FAIL {how}: {diff}' if diff else f'ok   {how}{left}', diff


def interleaved(names, n):
    "`n` names in turn."
    return [names[i % len(names)] for i in range(n)]


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('--n', type=int, default=50, help='moments')
    ap.add_argument('--seed', type=int, default=0, help='of the moments')
    ap.add_argument('--only', choices=('synth', 'layout', 'pack', 'train', 'tables'), help='one command')
    ap.add_argument('--keep', action='store_true', help='keep the folder of the last failure')
    a = ap.parse_args()
    rng, failed, folder = random.Random(a.seed), 0, Path(tempfile.mkdtemp()).resolve()
    Run(('dpa_synth', 'data', dict(drawn, seed=0)), folder, True).finish()
    chosen = {k: c for k, c in commands(folder/'data'/'labels.csv').items() if a.only in (None, k)}
    subjects = {}
    for name, command in chosen.items():
        subjects[name] = s = Subject(name, command, folder)
        print(f"{name}: {len(s.state)} files, {s.seconds[True]:.1f} s alone, {s.seconds[False]:.1f} s forked",
              flush=True)
    for i, name in enumerate(interleaved([*chosen], a.n)):
        said, diff = subjects[name].try_once(rng, folder/f'trial{i}', i % 5 == (i//5) % 5)
        failed += bool(diff)
        print(said, flush=True)
        if not (diff and a.keep):
            shutil.rmtree(folder/f'trial{i}', ignore_errors=True)
    print(f'{a.n} moments, {failed} failures (seed {a.seed})')
    if not (failed and a.keep):
        shutil.rmtree(folder)
    return int(failed > 0)


if __name__ == '__main__':
    sys.exit(main())
