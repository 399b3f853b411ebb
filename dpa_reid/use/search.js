// What the search page does in the browser: paste and drop, a box on the picture, heat maps, verdicts without leaving the page.
// Everything also works without this file, by forms and links.
'use strict'
document.documentElement.classList.add('scripted')

// A picture from the clipboard or dropped on the page goes into the file field, and is sent.
function startUpload(form) {
  const input = form.querySelector('input[type=file]'), alert = form.querySelector('.notice')
  const most = Number(input.dataset.mostBytes)
  const say = text => { alert.textContent = text }
  function fits() {
    const file = input.files[0]
    if (!file || file.size <= most) return true
    say(`The file has ${(file.size/2**20).toFixed(1)} MB and ${(most/2**20).toFixed(0)} are allowed: make it smaller.`)
    return false
  }
  function take(files) {
    const file = [...files].find(f => f.type.startsWith('image/'))
    if (!file) { say('That is not a picture.'); return }
    const list = new DataTransfer()
    list.items.add(file)
    input.files = list.files
    if (fits()) form.requestSubmit()
  }
  input.addEventListener('change', () => { say(''); fits() })
  form.addEventListener('submit', e => { if (!fits()) e.preventDefault() })
  document.addEventListener('paste', e => { if (e.clipboardData.files.length) { e.preventDefault(); take(e.clipboardData.files) } })
  document.addEventListener('dragover', e => { e.preventDefault(); form.classList.add('dropping') })
  document.addEventListener('dragleave', e => { if (!e.relatedTarget) form.classList.remove('dropping') })
  document.addEventListener('drop', e => { e.preventDefault(); form.classList.remove('dropping'); take(e.dataTransfer.files) })
}

// A box on the picture; its numbers, in pixels of the picture, are the fields x, y, w and h of the form.
function startStage(stage) {
  const form = stage.closest('form'), img = stage.querySelector('img'), mark = stage.querySelector('.box')
  const W = Number(stage.dataset.width), H = Number(stage.dataset.height), least = 8
  const inputs = ['x', 'y', 'w', 'h'].map(n => form.elements[n])
  const clamp = (v, low, high) => Math.max(low, Math.min(high, v))
  const read = () => inputs.every(i => i.value !== '') ? inputs.map(i => Math.round(Number(i.value))) : null
  function show() {
    const box = read()
    mark.hidden = !box
    if (!box) return
    const [x, y, w, h] = box
    Object.assign(mark.style, {left: `${100*x/W}%`, top: `${100*y/H}%`, width: `${100*w/W}%`, height: `${100*h/H}%`})
  }
  function write(box) {
    inputs.forEach((input, i) => { input.value = box ? Math.round(box[i]) : '' })
    show()
  }
  const fit = ([x, y, w, h]) => {
    w = clamp(w, least, W)
    h = clamp(h, least, H)
    return [clamp(x, 0, W - w), clamp(y, 0, H - h), w, h]
  }
  const at = e => {
    const r = img.getBoundingClientRect()
    return [clamp((e.clientX - r.left)/r.width, 0, 1)*W, clamp((e.clientY - r.top)/r.height, 0, 1)*H]
  }
  let start = null, before = null
  stage.addEventListener('pointerdown', e => {
    if (e.button) return
    start = at(e)
    before = read()
    stage.setPointerCapture(e.pointerId)
  })
  stage.addEventListener('pointermove', e => {
    if (!start) return
    const [x, y] = at(e)
    write([Math.min(x, start[0]), Math.min(y, start[1]), Math.abs(x - start[0]), Math.abs(y - start[1])])
  })
  stage.addEventListener('pointerup', e => {
    if (!start) return
    start = null
    const box = read()
    if (box && (box[2] < least || box[3] < least)) write(before)   // a click, not a box
  })
  stage.addEventListener('pointercancel', () => { start = null; write(before) })
  const moves = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}
  stage.addEventListener('keydown', e => {
    const box = read(), move = moves[e.key]
    if (e.key === 'Enter') { box ? form.requestSubmit() : write([W/4, H/4, W/2, H/2].map(Math.round)) }
    else if (e.key === 'Escape' || e.key === 'Delete') write(null)
    else if (move && box) {
      const step = e.ctrlKey ? 1 : Math.max(1, Math.round(Math.min(W, H)/50)), [dx, dy] = [move[0]*step, move[1]*step]
      const [x, y, w, h] = box
      write(fit(e.shiftKey ? [x, y, Math.min(w + dx, W - x), Math.min(h + dy, H - y)] : [x + dx, y + dy, w, h]))
    }
    else return
    e.preventDefault()
  })
  inputs.forEach(i => i.addEventListener('input', show))
  show()
}

// Pointing at an answer, or reaching it with the keyboard, shows where the network looked on both pictures.
function startHeat(card) {
  const img = card.querySelector('img'), plain = img.src, query = document.querySelector('#stage img')
  let timer = null, on = false
  function swap(target, src) {
    const next = new Image()
    next.onload = () => { if (on) target.src = src }
    next.src = src
  }
  function show() {
    if (on) return
    on = true
    timer = setTimeout(() => {
      swap(img, card.dataset.heat)
      if (query && !document.querySelector('#stage .box:not([hidden])')) swap(query, card.dataset.queryHeat)
    }, 200)
  }
  function hide() {
    if (card.matches(':hover') || card.contains(document.activeElement)) return
    on = false
    clearTimeout(timer)
    img.src = plain
    if (query) query.src = query.dataset.plain
  }
  if (query && !query.dataset.plain) query.dataset.plain = query.src
  card.addEventListener('mouseenter', show)
  card.addEventListener('focusin', show)
  card.addEventListener('mouseleave', hide)
  card.addEventListener('focusout', () => setTimeout(hide))
}

// A verdict is sent without leaving the page; if that fails, the sentence of the server is shown.
function startJudge(form) {
  const said = document.getElementById('said')
  form.addEventListener('submit', async e => {
    if (!said || !e.submitter) return
    e.preventDefault()
    const data = new FormData(form, e.submitter)
    try {
      const reply = await fetch(form.action, {method: 'POST', body: data, headers: {Accept: 'application/json'}})
      const found = await reply.json()
      said.textContent = reply.ok ? `Kept: ${data.get('verdict')}.` : found.error
      if (reply.ok) form.querySelectorAll('button').forEach(b => b.setAttribute('aria-pressed', String(b === e.submitter)))
    }
    catch { said.textContent = 'The server does not reply: is it still running?' }
  })
}

document.querySelectorAll('#upload').forEach(startUpload)
document.querySelectorAll('#stage').forEach(startStage)
document.querySelectorAll('[data-heat]').forEach(startHeat)
document.querySelectorAll('.answer .judge').forEach(startJudge)
document.addEventListener('keydown', e => {
  if (e.target.matches('input, select') || e.ctrlKey || e.altKey || e.metaKey) return
  document.querySelector(`.pair [data-key="${CSS.escape(e.key.toLowerCase())}"]`)?.click()
})
