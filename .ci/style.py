"""The style of the library, counted: what `.ci/check.py` compares with `.ci/style.json` and `.ci/names.txt`, and `.ci/measure.py` prints.

The rules are those of fast.ai's `chkstyle` (package fastaistyle) that this library keeps. The package itself needs
fastcore 2, which nbdev 2 cannot run with, so the few rules are counted here.
"""
import ast, configparser, io, json, re, subprocess, sys, tempfile, tokenize
from collections import Counter
from pathlib import Path

root = Path(__file__).resolve().parent.parent
cfg = configparser.ConfigParser(delimiters=['='])
cfg.read(root/'settings.ini', encoding='utf-8')
lib, nbs = root/cfg['DEFAULT']['lib_path'], root/cfg['DEFAULT']['nbs_path']
counts_file, names_file = (Path(__file__).with_name(n) for n in ('style.json', 'names.txt'))

max_lines, max_chars, max_module, max_example = 25, 900, 350, 10
common_words = set("""all any check columns compare copy cosine data draw explain find gallery heat item items load log mean metric metrics
    model name names net open plot print query rank read rows run save score scores show size some split splits std step steps table
    tell test tokens train write""".split())


def notebooks(): return sorted(p for p in nbs.rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts and not p.name.startswith('_'))


def modules():
    "The generated modules, nbdev's index and the empty `__init__` left out."
    return sorted(p for p in lib.rglob('*.py') if p.name not in ('__init__.py', '_modidx.py'))


def cells(path):
    "The cells of a notebook as (kind, source)."
    return [(c['cell_type'], ''.join(c['source'])) for c in json.loads(path.read_text(encoding='utf-8'))['cells']]


def is_exported(source): return bool(re.search(r'^#\|\s*export', source, re.M))
def is_hidden(source): return bool(re.search(r'^#\|\s*hide', source, re.M))
def code_of(source): return '\n'.join(l for l in source.splitlines() if not l.startswith('#|'))
def full_lines(source): return [l for l in source.splitlines() if l.strip()]
def is_setup(source): return bool(re.match(r'\s*(from|import|%)', code_of(source)))


def semicolons(source):
    "How many semicolons end a statement; none where the cell is not plain Python."
    try: return sum(t.type == tokenize.OP and t.string == ';' for t in tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, SyntaxError): return 0


def functions(path):
    "Every function of a file as (name, lines of its body, characters of its body, whether a comment says why it is long)."
    text = path.read_text(encoding='utf-8')
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef): continue
        body = node.body[1:] if ast.get_docstring(node) else node.body
        if not body: continue
        inside = [l.strip() for l in lines[body[0].lineno-1:body[-1].end_lineno] if l.strip()]
        excused = '# long: ' in '\n'.join(lines[node.lineno-1:node.end_lineno])
        yield node.name, len(inside), sum(map(len, inside)), excused


def is_long(f):
    "Whether a function is longer than the house allows and gives no reason."
    _, n_lines, n_chars, excused = f
    return not excused and (n_lines > max_lines or n_chars > max_chars)


def exported_in_a_row(kinds):
    "How many exported cells follow two others without a word or an example between them."
    run = over = 0
    for exported in kinds:
        run = run + 1 if exported else 0
        over += run > 2
    return over


def notebook_counts(path):
    "What one notebook has against the rules: rule -> how often."
    all_cells = cells(path)
    code = [s for kind, s in all_cells if kind == 'code']
    lines = [l for s in code for l in code_of(s).splitlines()]
    shown = [s for s in code if not is_exported(s) and not is_hidden(s) and not is_setup(s)]
    return Counter({
        'semicolons': sum(semicolons(code_of(s)) for s in code),
        'lines over 120': sum(len(l) > 120 for l in lines),
        'lines over 140': sum(len(l) > 140 for l in lines),
        'lines over 160': sum(len(l) > 160 for l in lines),
        'long examples': sum(len(full_lines(code_of(s))) > max_example for s in shown),
        'exported cells in a row': exported_in_a_row(kind == 'code' and is_exported(s) for kind, s in all_cells)})


def file_counts(path):
    "What a Python file has against the rules."
    text = path.read_text(encoding='utf-8')
    return Counter({'semicolons': semicolons(text), 'lines over 140': sum(len(l) > 140 for l in text.splitlines()),
                    'long functions': sum(map(is_long, functions(path)))})


def module_counts(path):
    "What a generated module adds to its notebook: functions that are too long, and a module that is."
    too_long = len(path.read_text(encoding='utf-8').splitlines()) > max_module
    return Counter({'long functions': sum(map(is_long, functions(path))), 'long module': int(too_long)})


def ruff_counts():
    "File -> how many remarks ruff has: unused imports and names (F), likely bugs (B), old syntax (UP). Star imports are nbdev's way."
    cmd = [sys.executable, '-m', 'ruff', 'check', '--isolated', '--no-cache', '--exit-zero', '--output-format', 'json',
           '--target-version', 'py310', '--select', 'F,B,UP', '--ignore', 'F403,F405', str(lib), str(root/'.ci')]
    out = subprocess.run(cmd, capture_output=True, text=True, check=True).stdout
    return Counter(str(Path(m['filename']).relative_to(root)) for m in json.loads(out))


def all_counts():
    "File -> rule -> count, without zeros: notebooks, generated modules and the scripts of this folder."
    found = {str(p.relative_to(root)): notebook_counts(p) for p in notebooks()}
    found |= {str(p.relative_to(root)): module_counts(p) for p in modules()}
    found |= {str(p.relative_to(root)): file_counts(p) for p in sorted(Path(__file__).parent.glob('*.py'))}
    for name, n in ruff_counts().items(): found.setdefault(name, Counter())['ruff'] = n
    nonzero = {name: {rule: n for rule, n in sorted(c.items()) if n} for name, c in sorted(found.items())}
    return {name: c for name, c in nonzero.items() if c}


def write_style(): counts_file.write_text(json.dumps(all_counts(), indent=1) + '\n', encoding='utf-8')


def check_style():
    "No file has more against the rules of style than `.ci/style.json` allows; the numbers may only fall."
    if not counts_file.exists(): return ['.ci/style.json is missing: run `python .ci/check.py --write-style` and commit']
    allowed = json.loads(counts_file.read_text(encoding='utf-8'))
    over = [(name, rule, n, allowed.get(name, {}).get(rule, 0)) for name, c in all_counts().items() for rule, n in c.items()]
    return [f'{name}: {n} {rule}, {most} allowed' for name, rule, n, most in over if n > most]


def public_names():
    "What `from dpa_reid.all import *` brings of this library, sorted."
    code = f"""
import importlib, pkgutil, {lib.name}
names = {{}}
exec('from {lib.name}.all import *', names)
own = set()
for m in pkgutil.walk_packages({lib.name}.__path__, '{lib.name}.'):
    if m.name != '{lib.name}.all': own |= set(getattr(importlib.import_module(m.name), '__all__', ()))
print('\\n'.join(sorted(own & set(names))))"""
    r = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], cwd=root, capture_output=True, text=True)
    if r.returncode: raise RuntimeError(r.stderr[-2000:])
    return r.stdout.split()


def write_names(): names_file.write_text('\n'.join(public_names()) + '\n', encoding='utf-8')


def check_names():
    "The public names are those of `.ci/names.txt`, none a common word, no two alike but for their case."
    if not names_file.exists(): return ['.ci/names.txt is missing: run `python .ci/check.py --write-names` and commit']
    now, noted = set(public_names()), set(names_file.read_text(encoding='utf-8').split())
    bad = [f'{n} is public and not in .ci/names.txt' for n in sorted(now - noted)]
    bad += [f'{n} is in .ci/names.txt and no longer public' for n in sorted(noted - now)]
    bad += [f'{n} is a common word, which a user may want for a variable' for n in sorted(now & common_words)]
    folded = Counter(n.lower() for n in now)
    return bad + [f'{n} is one of several names that differ by case alone' for n in sorted(now) if folded[n.lower()] > 1]


def unknown_names(path):
    "The names that a generated module uses and neither it nor Python defines; star imports hide these from ruff."
    import builtins, importlib, symtable
    name = '.'.join(path.relative_to(root).with_suffix('').parts)
    known = set(vars(importlib.import_module(name))) | set(dir(builtins)) | {'__class__'}
    def used(table):
        yield from (s.get_name() for s in table.get_symbols() if s.is_referenced() and s.is_global())
        for child in table.get_children(): yield from used(child)
    text = path.read_text(encoding='utf-8')
    return sorted(set(used(symtable.symtable(text, str(path), 'exec'))) - known)


def check_defined():
    "Every name that a module uses is defined where it is used."
    return [f'{p.relative_to(root)} uses {n}, which is not defined' for p in modules() for n in unknown_names(p)]


def check_annotations():
    "No annotation is the function `callable` or `any` in place of a type."
    bad = []
    for p in modules():
        for node in ast.walk(ast.parse(p.read_text(encoding='utf-8'))):
            types = [node.annotation] if isinstance(node, ast.arg) else [node.returns] if isinstance(node, ast.FunctionDef) else []
            names = [t.id for t in types if isinstance(t, ast.Name)]
            bad += [f'{p.relative_to(root)}:{node.lineno}: the annotation {n} is a function' for n in names if n in ('callable', 'any')]
    return bad


def built_wheel(folder):
    "Build a wheel from a copy of what git tracks; nothing is downloaded. Returns its path."
    copy = Path(folder)/'source'
    files = subprocess.run(['git', 'ls-files', '-z', lib.name, '*.ini', '*.toml', '*.py', '*.md', 'LICENSE'], cwd=root,
                           capture_output=True, text=True, check=True).stdout.split('\0')
    for f in filter(None, files):
        if not (root/f).exists(): continue
        (copy/f).parent.mkdir(parents=True, exist_ok=True)
        (copy/f).write_bytes((root/f).read_bytes())
    run = [sys.executable, '-m', 'build', '--wheel', '--no-isolation', '--outdir', folder, str(copy)]
    r = subprocess.run(run, capture_output=True, text=True)
    if r.returncode: raise RuntimeError((r.stdout + r.stderr)[-2000:])
    return next(Path(folder).glob('*.whl'))


def check_wheel():
    "A wheel can be built, and what it installs can be imported without this folder."
    with tempfile.TemporaryDirectory() as d:
        wheel, target = built_wheel(d), Path(d)/'target'
        pip = [sys.executable, '-m', 'pip', 'install', '-q', '--no-deps', '--no-index', '--target', str(target), str(wheel)]
        r = subprocess.run(pip, capture_output=True, text=True)
        if r.returncode: return [r.stderr[-2000:]]
        code = (f"import sys; sys.path.insert(0, {str(target)!r}); import {lib.name}.all as m; "
                f"assert m.__file__.startswith({str(target)!r}), m.__file__")
        r = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], cwd=d, capture_output=True, text=True)
        return [r.stderr[-2000:]] if r.returncode else []


checks = check_style, check_names, check_defined, check_annotations, check_wheel
