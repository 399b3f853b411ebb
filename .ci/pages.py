"""The pages of the site: their order (`nbs/sidebar.yml`, written from the folders of `nbs/`), their links, and whether they convert."""
import json, re
from style import nbs, notebooks

wings = dict(tutorials='Tutorials', core='Core', layers='Layers', models='Models', data='Data', train='Training', rivals='Rivals', scores='Scores', insight='Insight',
             study='Study', use='Use', synth='Synth', cli='Commands', proofs='Proofs')
sidebar_file = nbs/'sidebar.yml'


def pages_of(folder):
    "The pages of a wing in reading order; the quickstart comes first."
    pages = [p.relative_to(nbs).as_posix() for p in notebooks() if p.relative_to(nbs).parts[0] == folder]
    return sorted(pages, key=lambda p: not p.endswith('quickstart.ipynb'))


def section(title, pages):
    "One section of the sidebar as lines of YAML."
    return [f'      - section: {title}', '        contents:', *(f'          - {p}' for p in pages)]


def sidebar():
    "The text of `sidebar.yml`: the start, then the wings in reading order."
    lines = ['website:', '  sidebar:', '    contents:', *section('Start', ['index.ipynb', *pages_of('explanations')])]
    for folder, title in wings.items():
        if pages := pages_of(folder): lines += section(title, pages)
    return '\n'.join(lines) + '\n'


def write_sidebar(): sidebar_file.write_text(sidebar(), encoding='utf-8')


def check_sidebar():
    "The sidebar of the site lists every notebook, in reading order."
    same = sidebar_file.exists() and sidebar_file.read_text(encoding='utf-8') == sidebar()
    return [] if same else ['nbs/sidebar.yml is out of date: run `python .ci/check.py --write-sidebar` and commit']


def check_html():
    "Every notebook converts to a page."
    import nbformat
    from nbconvert import HTMLExporter
    bad, exporter = [], HTMLExporter()
    for p in notebooks():
        try: exporter.from_notebook_node(nbformat.read(p, as_version=4))
        except Exception as e: bad.append(f'{p.relative_to(nbs)}: {type(e).__name__}: {e}')
    return bad


def check_links():
    "Every link from one page to another leads to a page."
    bad = []
    for p in notebooks():
        cells = json.loads(p.read_text(encoding='utf-8'))['cells']
        text = ''.join(line for c in cells if c['cell_type'] == 'markdown' for line in c['source'])
        links = re.findall(r'\]\(([^)#:]+\.ipynb)', text)
        bad += [f'{p.relative_to(nbs)}: links to {link}, which does not exist' for link in links if not (p.parent/link).exists()]
    return bad


checks = check_sidebar, check_links, check_html
