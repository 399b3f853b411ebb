"""Prints how light the library is: tables of its code and of its notebooks, to compare one state of the repository with another.

usage: python .ci/measure.py
"""
import ast, re, statistics, style


def body_chars(path): return [chars for _, _, chars, _ in style.functions(path)]


def code_lines(path):
    "The lines of a module without blank lines, comments and docstrings."
    text = path.read_text(encoding='utf-8')
    docs = set()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) or not ast.get_docstring(node): continue
        docs |= set(range(node.body[0].lineno, node.body[0].end_lineno+1))
    return [l for i, l in enumerate(text.splitlines(), 1) if l.strip() and not l.lstrip().startswith('#') and i not in docs]


def percentile(values, share): return sorted(values)[min(len(values)-1, int(share*len(values)))]
def percent(part, whole): return f'{100*part/max(whole, 1):.1f}%'


def code_table():
    "Figure -> value for the generated modules."
    lines = {p: code_lines(p) for p in style.modules()}
    every = [l for ls in lines.values() for l in ls]
    chars = [n for p in lines for n in body_chars(p)]
    longest = max(lines, key=lambda p: len(lines[p]))
    return {
        'code lines': len(every),
        'lines over 120': percent(sum(len(l) > 120 for l in every), len(every)),
        'lines over 160': percent(sum(len(l) > 160 for l in every), len(every)),
        'semicolons': sum(style.semicolons(p.read_text(encoding='utf-8')) for p in lines),
        'characters of a body, median and p90': f'{statistics.median(chars):.0f} / {percentile(chars, .9)}',
        'bodies over 900 characters': sum(n > 900 for n in chars),
        'modules': len(lines),
        'longest module': f'{longest.relative_to(style.lib)} ({len(lines[longest])})',
        'public names': len(style.public_names())}


def n_tests(source): return len(re.findall(r'\btest_\w+\(|\bassert\b|\bexpect_fail\(', source))


def notebook_table():
    "Figure -> value for the notebooks."
    books = {p: style.cells(p) for p in style.notebooks()}
    code = [s for cells in books.values() for kind, s in cells if kind == 'code']
    exported = [s for s in code if style.is_exported(s)]
    others = [s for s in code if not style.is_exported(s)]
    shown = [style.code_of(s) for s in others if not style.is_hidden(s) and not style.is_setup(s)]
    rooms = [cells for cells in books.values() if any(style.is_exported(s) for kind, s in cells if kind == 'code')]
    words = sum(len(s.split()) for cells in rooms for kind, s in cells if kind == 'markdown')
    tests, hidden = sum(map(n_tests, others)), sum(n_tests(s) for s in others if style.is_hidden(s))
    return {
        'notebooks': len(books),
        'exported cells': len(exported),
        'lines of an exported cell, median': f'{statistics.median(len(style.full_lines(s)) for s in exported):.0f}',
        'example cells': len(shown),
        'characters of an example, median and p90': f'{statistics.median(map(len, shown)):.0f} / {percentile([*map(len, shown)], .9)}',
        'examples over 10 lines': sum(len(style.full_lines(s)) > style.max_example for s in shown),
        'semicolons': sum(style.semicolons(style.code_of(s)) for s in code),
        'tests': tests,
        'tests in hidden cells': percent(hidden, tests),
        'words per exported cell': f'{words/max(len(exported), 1):.0f}'}


def print_table(title, figures):
    print(f'| {title} | |\n|---|---|')
    for name, value in figures.items(): print(f'| {name} | {value} |')
    print()


if __name__ == '__main__':
    print_table('code', code_table())
    print_table('notebooks', notebook_table())
