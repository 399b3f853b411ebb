"""The search page in a real browser: every step of its use at two widths, in light and dark, by mouse and by keyboard.

usage: python .ci/browser.py [--out FOLDER] [--at FOLDER] [--chromium /usr/bin/chromium]

Needs the package playwright (only its core, no download of browsers) and a Chromium of the system. Draws vehicles, starts
`dpa_serve` as a process, and prints a line per step; screenshots are kept in the folder.
"""
import argparse, io, os, re, shutil, signal, subprocess, sys, tempfile
from pathlib import Path
import pandas as pd
from PIL import Image
from playwright.sync_api import expect, sync_playwright

root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root))
second = 'timm:tf_efficientnet_lite0'


def draw(folder, n_ids=14, size=128):
    "A gallery of drawn vehicles of which half have no identity, a second one of another model, and a frame of six vehicles."
    from dpa_reid.synth.dataset import synth_uav
    from dpa_reid.data.manifest import read_manifest
    from dpa_reid.use.gallery import Gallery
    from dpa_reid.use.scoring import open_model
    synth_uav(folder/'images', n_ids=n_ids, n_imgs=4, n_cams=4, size=size, train_frac=.05, masks=False, progress=False)
    df = read_manifest(folder/'images'/'labels.csv')
    df = df.assign(time=range(len(df)), track=[f't{i//2}' for i in range(len(df))])
    for name, model in (('gallery', 'default'), ('second', second)):
        g = Gallery(folder/name, open_model(model, progress=False, cache=None))
        e = g.embedder(df)
        g.add(e, e.rows.assign(pid=[str(p) if int(p) % 2 else '' for p in e.rows.pid]))
    frame = Image.new('RGB', (3*size, 2*size))
    shown = df.drop_duplicates('pid').head(6)
    for i, p in enumerate(shown.path): frame.paste(Image.open(p), (size*(i % 3), size*(i//3)))
    frame.save(folder/'frame.png')
    shown.to_csv(folder/'shown.csv')


def serve(folder, *more):
    "The server as a process, and its address."
    code = ('import sys; from dpa_reid.cli.command import run_command; from dpa_reid.cli.serve import dpa_serve; '
            'sys.exit(run_command(dpa_serve.__wrapped__, sys.argv[1:]))')
    args = ['--gallery', folder/'gallery', '--port', 0, '--out', folder/'judged', *more]
    p = subprocess.Popen([sys.executable, '-W', 'ignore', '-c', code, *map(str, args)], stdout=subprocess.PIPE, text=True,
                         cwd=folder, env={**os.environ, 'PYTHONPATH': str(root)})
    for line in p.stdout:
        if found := re.search(r'http://\S+/', line): return p, found[0]
    raise RuntimeError(f'the server ended with code {p.wait()}')


no_overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'
# the lowest contrast of a text with what is behind it, and that text
contrast = '''() => {
  const part = v => v <= .03928*255 ? v/255/12.92 : ((v/255 + .055)/1.055)**2.4
  const lum = c => .2126*part(c[0]) + .7152*part(c[1]) + .0722*part(c[2])
  const rgba = s => { const v = s.match(/[\\d.]+/g).map(Number); return v.length < 4 ? [...v, 1] : v }
  const behind = e => {
    for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > .99) return c }
    return [255, 255, 255] }
  let worst = [99, '']
  for (const e of document.querySelectorAll('body *')) {
    const said = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())
    if (!said || !e.getClientRects().length || e.closest('svg')) continue
    const [a, b] = [lum(rgba(getComputedStyle(e).color)), lum(behind(e))].sort((p, q) => q - p)
    const ratio = (a + .05)/(b + .05)
    if (ratio < worst[0]) worst = [ratio, e.textContent.trim().slice(0, 40)]
  }
  return worst }'''


class Visit:
    "A browser window that is watched: no request to another host, no error in the console, nothing wider than the window."
    def __init__(self, browser, url, out, width, scheme, **kwargs):
        self.url, self.out, self.name = url, out, f'{width}_{scheme}'
        self.context = browser.new_context(viewport=dict(width=width, height=900 if width > 500 else 740), color_scheme=scheme, **kwargs)
        self.page, self.foreign, self.errors, self.n = self.context.new_page(), [], [], 0
        self.page.on('request', lambda r: None if r.url.startswith((url, 'data:', 'blob:')) else self.foreign.append(r.url))
        self.page.on('console', lambda m: self.errors.append(m.text) if m.type == 'error' else None)
        self.page.on('pageerror', lambda e: self.errors.append(str(e)))
    def shot(self, name):
        "A screenshot, and the checks of a page that stands still."
        self.page.wait_for_load_state('networkidle')
        self.page.screenshot(path=self.out/f'{name}_{self.name}.png', full_page=True)
        assert self.page.evaluate(no_overflow) <= 0, f'{name} is wider than the window'
        ratio, text = self.page.evaluate(contrast)
        assert ratio >= 4.5, f'{name}: contrast {ratio:.2f} of {text!r}'
        self.check_names(name)
    def check_names(self, name):
        "Everything that can be focused has a name for a screen reader."
        tree = self.context.new_cdp_session(self.page).send('Accessibility.getFullAXTree')['nodes']
        roles = {'button', 'link', 'textbox', 'combobox', 'checkbox', 'spinbutton', 'image', 'application', 'navigation', 'form'}
        nameless = [n['role']['value'] for n in tree if not n.get('ignored') and n.get('role', {}).get('value') in roles
                    and not n.get('name', {}).get('value')]
        assert not nameless, f'{name}: without a name: {nameless}'
    def said(self, step):
        self.n += 1
        print(f'ok  {self.name} {step}', flush=True)
    def close(self):
        assert not self.foreign, self.foreign
        wrong = [e for e in self.errors if 'status of 4' not in e]
        assert not wrong, wrong
        self.context.close()


def values(page): return [page.locator(f'#f-{c}').input_value() for c in 'xywh']


def search_by_mouse(v, folder, shown):
    "Upload a frame, draw a box around its fifth vehicle, search."
    page = v.page
    page.goto(v.url)
    v.shot('home')
    page.set_input_files('#picture', folder/'frame.png')
    page.get_by_role('button', name='Search', exact=True).click()
    page.wait_for_url('**/search?q=*')
    v.shot('answers_of_a_frame')
    v.said('upload')
    box = page.locator('#stage img').bounding_box()
    at = lambda x, y: (box['x'] + box['width']*x, box['y'] + box['height']*y)
    page.mouse.move(*at(1/3 + .005, .505))
    page.mouse.down()
    page.mouse.move(*at(2/3 - .05, .8), steps=4)
    page.mouse.move(*at(2/3 - .005, .995), steps=4)
    page.mouse.up()
    x, y, w, h = map(int, values(page))
    assert abs(x - 128) < 8 and abs(y - 128) < 8 and abs(w - 128) < 10 and abs(h - 128) < 10, values(page)
    with page.expect_navigation(): page.get_by_role('button', name='Search again').click()
    first = page.locator('.answer').first
    assert Path(shown.path.iloc[4]).name in first.inner_text(), first.inner_text()
    v.said('box by mouse')


def box_by_keys(v):
    "The same stage without a mouse."
    page = v.page
    page.locator('#stage').focus()
    page.keyboard.press('Escape')
    assert values(page) == ['']*4
    page.keyboard.press('Enter')
    assert values(page) == ['96', '64', '192', '128'], values(page)
    for key in ('ArrowRight', 'ArrowDown', 'Shift+ArrowLeft', 'Shift+ArrowUp', 'Control+ArrowLeft'): page.keyboard.press(key)
    assert values(page) == ['100', '69', '187', '123'], values(page)
    with page.expect_navigation(): page.keyboard.press('Enter')
    assert 'x=100' in page.url
    v.said('box by keys')


def filter_answers(v):
    "A camera and one answer per track."
    page = v.page
    page.get_by_label('Camera').fill('1')
    page.get_by_label('One answer per').select_option('track')
    with page.expect_navigation(): page.get_by_role('button', name='Search again').click()
    facts = page.locator('.answer dl').all_inner_texts()
    assert facts and all(re.search(r'camera\s+1\b', t) for t in facts), facts[:2]
    page.get_by_label('Camera').fill('99')
    with page.expect_navigation(): page.get_by_role('button', name='Search again').click()
    expect(page.locator('.found')).to_contain_text('meets this filter')
    v.shot('nothing_found')
    page.go_back()
    v.said('filters')


def look(v):
    "A heat map by mouse and by keyboard, and the page of the pair."
    page = v.page
    card = page.locator('.answer').nth(1)
    img = card.locator('img')
    card.scroll_into_view_if_needed()
    card.hover()
    expect(img).to_have_attribute('src', re.compile('/heat'), timeout=180000)
    v.shot('heat')
    page.mouse.move(1, 1)
    expect(img).to_have_attribute('src', re.compile('/picture'))
    card.get_by_role('link', name='Why').focus()
    expect(img).to_have_attribute('src', re.compile('/heat'))
    v.said('heat map by mouse and by focus')
    card.get_by_role('link', name='Why').click()
    page.wait_for_url('**/why*')
    v.shot('why')
    page.get_by_role('link', name='Back to the answers').click()
    page.wait_for_url('**/search*')


def judge_and_download(v, folder):
    "A verdict on a card without leaving the page, and the answers as CSV."
    page = v.page
    card = page.locator('.answer').nth(1)
    before = len(pd.read_csv(folder/'judged'/'judgements.csv')) if (folder/'judged'/'judgements.csv').exists() else 0
    card.get_by_role('button', name='Different').focus()
    page.keyboard.press('Enter')
    expect(page.locator('#said')).to_contain_text('Kept: different')
    expect(card.get_by_role('button', name='Different')).to_have_attribute('aria-pressed', 'true')
    assert len(pd.read_csv(folder/'judged'/'judgements.csv')) == before + 1
    v.said('verdict')
    with page.expect_download() as d: page.get_by_role('link', name='CSV').click()
    found = pd.read_csv(io.StringIO(Path(d.value.path()).read_text()))
    assert len(found) == page.locator('.answer').count()
    v.said('download')


def compare_models(v):
    "Two models side by side, from an image of the gallery."
    page = v.page
    page.goto(v.url)
    page.locator('#pick ~ .grid a').nth(3).focus()
    page.keyboard.press('Enter')
    page.wait_for_url('**/search?g=*')
    page.get_by_label('Compare the models').check()
    with page.expect_navigation(): page.get_by_role('button', name='Search again').click()
    assert page.locator('.models > section').count() == 2
    v.shot('two_models')
    v.said('two models')


def judge_pairs(v):
    "The page of pairs, by key and by button."
    page = v.page
    page.goto(f'{v.url}pairs')
    v.shot('pairs')
    count = lambda: int(page.locator('td').first.inner_text())
    before, first = count(), page.locator('.pair img').first.get_attribute('src')
    with page.expect_navigation(): page.keyboard.press('u')
    assert count() == before + 1
    pair = [page.locator('.pair img').nth(i).get_attribute('src') for i in (0, 1)]
    with page.expect_navigation(): page.get_by_role('button', name='Same').click()
    assert count() == before + 2 and pair != [page.locator('.pair img').nth(i).get_attribute('src') for i in (0, 1)] and first
    page.goto(f'{v.url}scores')
    v.shot('scores')
    v.said('pairs and scores')


def mistakes(v, folder):
    "What is no picture, what is too large, what is not there any more."
    page = v.page
    (folder/'note.png').write_text('this is no picture')
    page.goto(v.url)
    page.set_input_files('#picture', folder/'note.png')
    page.get_by_role('button', name='Search', exact=True).click()
    expect(page.locator('[role=alert]').first).to_contain_text('not a picture')
    v.shot('no_picture')
    (folder/'large.png').write_bytes(bytes(3*2**20))
    page.goto(v.url)
    page.set_input_files('#picture', folder/'large.png')
    expect(page.locator('[role=alert]')).to_contain_text('3.0 MB')
    page.get_by_role('button', name='Search', exact=True).click()
    assert page.url == v.url
    page.goto(f'{v.url}search?q=gone')
    expect(page.locator('[role=alert]')).to_contain_text('not kept any more')
    v.said('mistakes')


def paste(v):
    "A picture from the clipboard."
    v.page.goto(v.url)
    v.page.evaluate('''async () => {
      const c = Object.assign(document.createElement('canvas'), {width: 90, height: 60})
      c.getContext('2d').fillRect(9, 9, 40, 30)
      const blob = await new Promise(r => c.toBlob(r)), data = new DataTransfer()
      data.items.add(new File([blob], 'clip.png', {type: 'image/png'}))
      document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true})) }''')
    v.page.wait_for_url('**/search?q=*')
    v.said('paste')


def without_script(browser, url, out, folder):
    "Upload, box and verdict by forms alone."
    v = Visit(browser, url, out, 360, 'light', java_script_enabled=False)
    page = v.page
    page.goto(url)
    page.set_input_files('#picture', folder/'frame.png')
    page.get_by_role('button', name='Search', exact=True).click()
    for name, value in (('Left', 128), ('Top', 0), ('Width', 128), ('Height', 128)): page.get_by_label(name).fill(str(value))
    page.get_by_role('button', name='Search again').click()
    page.locator('.answer').nth(2).get_by_role('button', name='Unsure').click()
    assert 'x=128' in page.url and page.locator('.answer').count() == 12
    v.said('without script')
    v.close()


def run(chromium, out, folder):
    "All steps; raises where one fails."
    if not (folder/'shown.csv').exists(): draw(folder)
    shown = pd.read_csv(folder/'shown.csv')
    server, url = serve(folder, '--max-mb', 2, '--against', f'{second}:{folder/"second"}')
    try:
        with sync_playwright() as p:
            browser = p.chromium.launch(executable_path=chromium, args=['--no-sandbox'])
            for width, scheme in ((1440, 'light'), (360, 'dark'), (1440, 'dark'), (360, 'light')):
                v = Visit(browser, url, out, width, scheme)
                v.page.set_default_timeout(180000)
                search_by_mouse(v, folder, shown)
                box_by_keys(v)
                filter_answers(v)
                look(v)
                judge_and_download(v, folder)
                compare_models(v)
                judge_pairs(v)
                mistakes(v, folder)
                paste(v)
                v.close()
            without_script(browser, url, out, folder)
            browser.close()
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(120) == 0


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('--out', default='browser', help='folder of the screenshots')
    ap.add_argument('--at', help='folder of the drawn vehicles, to use them again')
    ap.add_argument('--chromium', default=shutil.which('chromium') or '/usr/bin/chromium', help='program of the browser')
    a = ap.parse_args()
    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as d: run(a.chromium, out, Path(a.at or d))
    print(f'all steps passed; screenshots in {out}')


if __name__ == '__main__': sys.exit(main())
