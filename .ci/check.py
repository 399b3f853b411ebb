"""The test command behind `make test`: runs every notebook and the checks of the house. Ends with `N passed, M failed`.

usage: python .ci/check.py [--flags 'slow data'] [--only PATTERN]

Two jobs run side by side, the longest first. Each is a process of its own, forked from this one after the heavy
libraries are loaded, so that no notebook pays for their import and none leaves memory to the next.
"""
import argparse, ast, configparser, filecmp, json, multiprocessing, os, re, runpy, shutil, subprocess, sys, tempfile, time, warnings
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

import pages, style

root = Path(__file__).resolve().parent.parent
cfg = configparser.ConfigParser(delimiters=['='])
cfg.read(root/'settings.ini', encoding='utf-8')
lib, nbs = root/cfg['DEFAULT']['lib_path'], root/cfg['DEFAULT']['nbs_path']
bin_dir = Path(sys.executable).parent
times = Path(__file__).with_name('seconds.json')


def tool(name, *args, cwd=root, **env):
    "Run a command of this environment; returns its exit code and what it printed."
    env = {**os.environ, 'MPLBACKEND': 'agg', 'PATH': f"{bin_dir}{os.pathsep}{os.environ['PATH']}", **env}
    r = subprocess.run([str(bin_dir/name), *map(str, args)], cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
    return r.returncode, r.stdout


def notebooks(): return sorted(p for p in nbs.rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts and not p.name.startswith('_'))


def run_notebook(path, flags=''):
    "One notebook as `nbdev_test` runs it; returns the problems found, which `test_nb` prints."
    from nbdev.test import test_nb
    passed, _ = test_nb(path, skip_flags=cfg['DEFAULT']['tst_flags'].split(), force_flags=flags.split(), basepath=root)
    return [] if passed else ['failed']


def check_generated():
    "nbdev_export and nbdev_clean leave every file as it is (tried on a copy)."
    with tempfile.TemporaryDirectory() as d:
        copy, was = Path(d)/'copy', Path(d)/'was'
        for p in (copy, was):
            p.mkdir()
            for part in (nbs, lib): shutil.copytree(part, p/part.name, ignore=shutil.ignore_patterns('__pycache__', '.ipynb_checkpoints'))
            for f in ('settings.ini', 'pyproject.toml', 'setup.py', 'README.md'): shutil.copy(root/f, p/f)
        bad = []
        for cmd in ('nbdev_export', 'nbdev_clean'):
            code, out = tool(cmd, cwd=copy, PYTHONPATH=str(copy))
            if code: bad.append(f'{cmd} failed: {out.strip()[-2000:]}')
        files = lambda p: {f.relative_to(p) for f in p.rglob('*') if f.is_file() and '__pycache__' not in f.parts}
        bad += [f'{f} appears or disappears: run nbdev_export and commit' for f in sorted(files(copy) ^ files(was))]
        bad += [f'{f} would change: run nbdev_export and nbdev_clean, and commit'
                for f in sorted(files(copy) & files(was)) if not filecmp.cmp(copy/f, was/f, shallow=False)]
        return bad


def render_readme():
    "README.md as nbs/index.ipynb renders to it: hidden cells and directives gone, links made relative to the top."
    import nbformat
    from nbconvert import MarkdownExporter
    nb = nbformat.read(nbs/'index.ipynb', as_version=4)
    nb.cells = [c for c in nb.cells if not re.search(r'^#\|\s*hide', c.source, flags=re.M)]
    for c in nb.cells:
        if c.cell_type == 'code': c.source, c.outputs = re.sub(r'^#\|.*\n', '', c.source, flags=re.M), []
    text = MarkdownExporter().from_notebook_node(nb)[0]
    return re.sub(r'\n{3,}', '\n\n', re.sub(r'\]\((?!https?:|#|\.\./)', f'](' + nbs.name + '/', text).replace('](../', '](')).strip() + '\n'


def check_readme():
    "README.md is what nbs/index.ipynb renders to, and its links lead somewhere."
    text = render_readme()
    bad = [f'README.md links to {l}, which is not there' for l in re.findall(r'\]\((?!https?:|#)([^)#]+)', text) if not (root/l).exists()]
    if (root/'README.md').read_text(encoding='utf-8') != text:
        bad.append('README.md is not what nbs/index.ipynb renders to: '
                   'run `python .ci/check.py --write-readme` and commit')
    return bad


def check_evaluated():
    "No notebook hides a cell from the tests."
    skips = re.compile(r'#\|\s*eval:\s*false|skip_exec:\s*true')
    return [f'{p.relative_to(root)}: has {m}' for p in notebooks() for m in skips.findall(p.read_text(encoding='utf-8'))]


def check_outputs():
    "No output shows a path of the machine that made it, or a raw list of the recorder's numbers."
    unwanted = re.compile(r'/tmp/\w+|/var/folders/|site-packages|ipykernel_\d+|\(#\d+\) \[\d+,\s*-?\d+\.\d{6,}')
    bad = []
    for p in notebooks():
        for i, c in enumerate(json.loads(p.read_text(encoding='utf-8'))['cells']):
            found = unwanted.search(json.dumps(c.get('outputs', [])))
            if found: bad.append(f'{p.relative_to(root)}, cell {i}: {found[0]}')
    return bad


def modules():
    "Every module of the library as (dotted name within it, path), the generated index left out."
    for p in sorted(lib.rglob('*.py')):
        if p.name not in ('__init__.py', '_modidx.py'): yield '.'.join(p.relative_to(lib).with_suffix('').parts), p


# The wings from the ground up: an import points to an earlier group, or to a lower number in its own wing.
wings = (('core',), ('layers', 'synth'), ('models', 'data', 'scores'), ('train',), ('rivals',), ('insight',), ('study',), ('use',), ('cli',))


def rooms():
    "Where each module is: its wing, and the numbers with which its notebook and the folders between begin."
    found = {}
    for p in notebooks():
        wing, *inside = p.relative_to(nbs).parts
        numbers = [re.match(r'(\d+)_', part) for part in inside]
        exp = re.search(r'#\|\s*default_exp\s+([\w.]+)', p.read_text(encoding='utf-8'))
        if exp and numbers and all(numbers): found[exp[1]] = wing, tuple(int(n[1]) for n in numbers)
    return found


def imports_of(name, path):
    "The library's own modules that module `name` imports."
    package = name.split('.')[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import): yield from (a.name.split('.', 1)[1] for a in node.names if a.name.startswith(f'{lib.name}.'))
        elif isinstance(node, ast.ImportFrom):
            base = (node.module or '').split('.') if node.module else []
            if node.level: base = package[:len(package)-node.level+1] + base
            elif base[:1] == [lib.name]: base = base[1:]
            else: continue
            for target in ['.'.join(base)] + ['.'.join(base+[a.name]) for a in node.names]: yield target


def check_floors():
    "An import only points down: to an earlier wing, or within a wing to a lower number."
    height = {w: i for i, group in enumerate(wings) for w in group}
    where, bad = rooms(), []
    for name, path in modules():
        if name not in where:
            bad.append(f'{path.relative_to(root)} has no numbered notebook')
            continue
        wing, number = where[name]
        for dep in {d for d in imports_of(name, path) if d in where}:
            other, below = where[dep]
            if other == wing and below >= number: bad.append(f'{name} imports {dep}, which is not below it in the wing {wing}')
            if other != wing and height[other] >= height[wing]:
                bad.append(f'{name} imports {dep}: the wing {wing} does not stand on {other}')
    return bad


def check_docstrings():
    "Every public function and class that the library exports has a docstring (a module's `forward` has its class's)."
    bad = []
    for name, path in modules():
        for node in ast.parse(path.read_text(encoding='utf-8')).body:
            if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith('_') or node.name == 'forward': continue
            if not ast.get_docstring(node):
                bad.append(f'{name}.{node.name} has no docstring')
    return bad


def check_scripts():
    "The scripts beside the results find what they import."
    bad = []
    # Python puts a script's own folder first
    sys.path[:0] = [str(nbs/'results'), str(root)]
    for path in sorted((nbs/'results').rglob('*.py')):
        try: runpy.run_path(str(path), run_name='imported')
        except Exception as e: bad.append(f'{path.relative_to(root)}: {type(e).__name__}: {e}')
    return bad


def check_fuzz(n=200):
    "Damaged and hostile inputs are read or refused in order: the first few of `.ci/fuzz.py`."
    code, out = tool('python', root/'.ci'/'fuzz.py', '--n', n, '--workers', 1, OMP_NUM_THREADS='1')
    return [out.strip()[-3000:]] if code else []


def preload():
    "Import what nearly every notebook needs, before jobs are forked. The library itself is left to the notebooks."
    os.environ.update(MPLBACKEND='agg', OMP_NUM_THREADS='1')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')      # about other libraries' parts that nobody here calls
        import fastai.vision.all, nbdev.test, timm, torch
    torch.set_num_threads(1)


def in_child(out, job, args):
    "The body of a job's process: everything it prints and the problems it finds go to files named `out`."
    with open(f'{out}.txt', 'w') as f:
        os.dup2(f.fileno(), 1)
        os.dup2(f.fileno(), 2)
        try: problems = job(*args)
        except Exception as e: problems = [f'{type(e).__name__}: {e}']
        sys.stdout.flush()
        sys.stderr.flush()
    Path(f'{out}.json').write_text(json.dumps(problems))


@dataclass
class Job:
    "One test: a function that returns a list of problems, run in a process of its own."
    title: str
    f: object
    args: tuple
    expected: float    # seconds it took when the times were last written

    def start(self, folder, limit):
        ctx = multiprocessing.get_context('fork' if 'fork' in multiprocessing.get_all_start_methods() else 'spawn')
        self.out = Path(folder)/re.sub(r'\W+', '_', self.title)
        self.begun, self.limit = time.time(), limit
        self.process = ctx.Process(target=in_child, args=(self.out, self.f, self.args))
        self.process.start()
        return self

    @property
    def late(self): return time.time() - self.begun > self.limit

    def finish(self):
        "Wait for the process, ending it where it is late; prints the result and returns whether it passed."
        if self.late: self.process.kill()
        self.process.join()
        self.seconds = time.time() - self.begun
        self.passed = not (problems := self.problems())
        print(f"{'ok  ' if self.passed else 'FAIL'} {self.title} ({self.seconds:.0f} s)", flush=True)
        for p in problems: print('     ' + p.replace('\n', '\n     '), flush=True)
        return self

    def problems(self):
        answer = Path(f'{self.out}.json')
        if not answer.exists(): problems = [f'ended by a signal or after {self.limit} s (exit code {self.process.exitcode})']
        else: problems = json.loads(answer.read_text())
        printed = Path(f'{self.out}.txt').read_text(errors='replace').strip()[-6000:]
        return problems and [printed, *problems]


def run_jobs(jobs, n=2, limit=900):
    "Run `jobs`, `n` at once, the longest first; yields each as it ends."
    waiting, running = sorted(jobs, key=lambda j: -j.expected), []
    with tempfile.TemporaryDirectory() as folder:
        while waiting or running:
            while waiting and len(running) < n: running.append(waiting.pop(0).start(folder, limit))
            wait([j.process.sentinel for j in running], timeout=10)
            ended = [j for j in running if not j.process.is_alive() or j.late]
            running = [j for j in running if j not in ended]
            for j in ended: yield j.finish()


def expected_seconds():
    "What each job took when `--write-times` was last given; jobs that are not listed run first."
    return json.loads(times.read_text()) if times.exists() else {}


def all_jobs(only, flags):
    "The checks of the house and the notebooks whose path contains `only`; the checks are left out where that is given."
    known = expected_seconds()
    job = lambda title, f, *args: Job(title, f, args, known.get(title, 1e3))
    checks = (check_generated, check_readme, check_evaluated, check_outputs, check_floors, check_docstrings, check_scripts,
              check_fuzz, *style.checks, *pages.checks)
    return ([] if only else [job(c.__doc__.rstrip('.'), c) for c in checks]) + \
        [job(str(p.relative_to(root)), run_notebook, p, flags) for p in notebooks() if only in str(p.relative_to(nbs))]


def write_times(done):
    seconds = {j.title: round(j.seconds) for j in sorted(done, key=lambda j: j.title)}
    times.write_text(json.dumps(seconds, indent=1) + '\n')


def print_slowest(done, n=10):
    slowest = sorted(done, key=lambda j: -j.seconds)[:n]
    print(f'the {n} slowest, in seconds: ' + ', '.join(f'{Path(j.title).name} {j.seconds:.0f}' for j in slowest))


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('--flags', default='', help="notebook flags to run too, such as 'slow data'")
    ap.add_argument('--only', default='', help='run only the notebooks whose path contains this, and no other check')
    ap.add_argument('--write-readme', action='store_true', help='write README.md from nbs/index.ipynb and stop')
    ap.add_argument('--write-style', action='store_true', help='write .ci/style.json from the state of the files and stop')
    ap.add_argument('--write-sidebar', action='store_true', help='write nbs/sidebar.yml from the folders of nbs and stop')
    ap.add_argument('--write-names', action='store_true', help='write .ci/names.txt from the public names and stop')
    ap.add_argument('--write-times', action='store_true', help='note how long each job took, for the order of the next run')
    a = ap.parse_args()
    if a.write_readme:
        (root/'README.md').write_text(render_readme(), encoding='utf-8')
        return 0
    if a.write_style: style.write_style()
    if a.write_names: style.write_names()
    if a.write_sidebar: pages.write_sidebar()
    if a.write_style or a.write_names or a.write_sidebar: return 0
    begun = time.time()
    preload()
    done = list(run_jobs(all_jobs(a.only, a.flags)))
    if a.write_times: write_times(done)
    passed = sum(j.passed for j in done)
    if len(done) > 1: print_slowest(done)
    print(f'{time.time()-begun:.0f} seconds')
    print(f'{passed} passed, {len(done)-passed} failed')
    return int(passed < len(done) or not done)


if __name__ == '__main__': sys.exit(main())
