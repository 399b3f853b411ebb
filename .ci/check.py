"""The test command behind `make test`: runs every notebook, then the checks of the house. Ends with `N passed, M failed`.

usage: python .ci/check.py [--flags 'slow data'] [--only PATTERN]
"""
import argparse, ast, configparser, filecmp, os, re, shutil, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

root = Path(__file__).resolve().parent.parent
cfg = configparser.ConfigParser(delimiters=['='])
cfg.read(root/'settings.ini', encoding='utf-8')
lib, nbs = root/cfg['DEFAULT']['lib_path'], root/cfg['DEFAULT']['nbs_path']
bin_dir = Path(sys.executable).parent


def tool(name, *args, cwd=root, **env):
    "Run a command of this environment; returns its exit code and what it printed."
    env = {**os.environ, 'MPLBACKEND': 'agg', 'PATH': f"{bin_dir}{os.pathsep}{os.environ['PATH']}", **env}
    r = subprocess.run([str(bin_dir/name), *map(str, args)], cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
    return r.returncode, r.stdout


def notebooks(): return sorted(p for p in nbs.rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts and not p.name.startswith('_'))


def run_notebook(path, flags=''):
    "One notebook through nbdev_test; returns the problems found. Two run side by side, so each gets one thread."
    code, out = tool('nbdev_test', '--path', path, '--n_workers', '0', '--flags', flags, OMP_NUM_THREADS='1')
    return [] if code == 0 and 'Success.' in out else [out.strip()[-6000:]]


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
    if (root/'README.md').read_text(encoding='utf-8') != text: bad.append('README.md is not what nbs/index.ipynb renders to: run `python .ci/check.py --write-readme` and commit')
    return bad


def check_evaluated():
    "No notebook hides a cell from the tests."
    return [f'{p.relative_to(root)}: has {m}' for p in notebooks() for m in re.findall(r'#\|\s*eval:\s*false|skip_exec:\s*true', p.read_text(encoding='utf-8'))]


def modules():
    "Every module of the library as (dotted name within it, path), the generated index left out."
    for p in sorted(lib.rglob('*.py')):
        if p.name not in ('__init__.py', '_modidx.py'): yield '.'.join(p.relative_to(lib).with_suffix('').parts), p


def floor_of():
    "The floor of each module: the number its notebook's name begins with."
    floors = {}
    for p in notebooks():
        number, exp = re.match(r'(\d+)_', p.name), re.search(r'#\|\s*default_exp\s+([\w.]+)', p.read_text(encoding='utf-8'))
        if exp and number: floors[exp[1]] = int(number[1])
    return floors


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
    "An import only points down; the wings models (2x), data (3x) and scores (4x) never import each other."
    floors, bad = floor_of(), []
    for name, path in modules():
        if name not in floors: bad.append(f'{path.relative_to(root)} has no numbered notebook'); continue
        for dep in {d for d in imports_of(name, path) if d in floors}:
            here, there = floors[name], floors[dep]
            if there >= here: bad.append(f'{name} (floor {here}) imports {dep} (floor {there}): an import only points down')
            elif here//10 in (2, 3, 4) and there//10 in (2, 3, 4) and here//10 != there//10: bad.append(f'{name} ({here}) imports {dep} ({there}): the wings never import each other')
    return bad


def check_docstrings():
    "Every public function and class that the library exports has a docstring (a module's `forward` has its class's)."
    bad = []
    for name, path in modules():
        for node in ast.parse(path.read_text(encoding='utf-8')).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith('_') and node.name != 'forward' and not ast.get_docstring(node):
                bad.append(f'{name}.{node.name} has no docstring')
    return bad


def report(title, problems, seconds):
    print(f"{'ok  ' if not problems else 'FAIL'} {title} ({seconds:.0f} s)", flush=True)
    for p in problems: print('     ' + p.replace('\n', '\n     '), flush=True)
    return not problems


def timed(f, *args):
    t = time.time()
    try: return f(*args), time.time()-t
    except Exception as e: return [f'{type(e).__name__}: {e}'], time.time()-t


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('--flags', default='', help="notebook flags to run too, such as 'slow data'")
    ap.add_argument('--only', default='', help='run only the notebooks whose path contains this, and no other check')
    ap.add_argument('--write-readme', action='store_true', help='write README.md from nbs/index.ipynb and stop')
    a = ap.parse_args()
    if a.write_readme: (root/'README.md').write_text(render_readme(), encoding='utf-8'); return 0
    results = []
    if not a.only:
        for check in (check_generated, check_readme, check_evaluated, check_floors, check_docstrings):
            results.append(report(check.__doc__.rstrip('.'), *timed(check)))
    paths = [p for p in notebooks() if a.only in str(p.relative_to(nbs))]
    with ThreadPoolExecutor(2) as pool:
        jobs = [(p, pool.submit(timed, run_notebook, p, a.flags)) for p in paths]
        for p, job in jobs: results.append(report(str(p.relative_to(root)), *job.result()))
    print(f'{sum(results)} passed, {len(results)-sum(results)} failed')
    return int(not all(results) or not results)


if __name__ == '__main__': sys.exit(main())
