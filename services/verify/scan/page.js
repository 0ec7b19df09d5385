// The scanner's page: what is tapped, typed or chosen, and what is shown for it.

import { NoCamera, openCamera, watch } from './camera.js'
import { beijing } from './days.js'
import { ask } from './online.js'
import { answerBlocks, claimRows, element, listRows, rows, worded } from './show.js'
import { load, save } from './store.js'
import { loadWords } from './words.js'

const LARGEST_PHOTO = 20 * 1024 * 1024
const MOST_PIXELS = 50_000_000
const MOST_CODES = 16
const REFRESH_S = 600

const page = document.getElementById('scan')
const at = (name) => document.getElementById(name)
const parts = page.dataset
const clock = () => Date.now() / 1000
let words, offline, stored
let held = null
let reading = null
let close = null
let asked = 0
let heard = ''

start().catch(() => words && say('too_old')) // without import maps, say: then the field is the form that it is without script

async function start () {
  words = await loadWords(parts.words, parts.wordsIntegrity, parts.language)
  stored = await load()
  if (parts.offline) offline = { ...await import('./verdict.js'), ...await import('./held.js'), ...await import('./refresh.js') }
  held = offline ? await offline.opened(stored, location.host, clock()) : null
  at('camera').addEventListener('click', scan)
  at('photo').addEventListener('change', photo)
  at('form').addEventListener('submit', typed)
  at('refresh').addEventListener('click', () => update(true))
  at('again').addEventListener('click', again)
  addEventListener('offline', showLists)
  addEventListener('online', () => update(false))
  if (!offline) say('no_offline')
  if (/MicroMessenger|AlipayClient/i.test(navigator.userAgent)) say('in_app') // it says the other as well
  showLists()
  navigator.serviceWorker?.register('/scan/worker.js', { scope: '/scan' }).catch(() => {}) // it works without, online
  addEventListener('appinstalled', () => reader().catch(() => {}))
  for (const name of ['camera', 'photo', 'refresh']) at(name).disabled = false
  page.dataset.ready = 'yes'
  const due = !stored.refreshedAt || clock() - stored.refreshedAt > REFRESH_S
  if (due && navigator.onLine !== false) await update(false)
}

// --- three ways in ---

async function scan () {
  if (close) return stop()
  const video = at('video')
  const mine = ++asked
  try {
    say('loading')
    const read = await reader()
    if (!read) return say('no_reader')
    close = await openCamera(video)
    video.hidden = false
    at('camera').textContent = words.label('camera_stop')
    say('looking')
    const texts = await watch(video, read, () => close !== null && mine === asked)
    if (mine !== asked) return
    stop()
    if (texts.length) await judge(texts)
  } catch (error) {
    stop()
    say(error instanceof NoCamera ? `camera_${error.reason}` : 'no_reader')
  }
}

function stop () {
  close?.()
  close = null
  at('video').hidden = true
  at('camera').textContent = words.label('camera')
  say(null)
}

async function photo () {
  const file = at('photo').files[0]
  if (!file) return
  stop()
  try {
    if (file.size > LARGEST_PHOTO) return say('photo_too_large')
    say('loading')
    const read = await reader().catch(() => null)
    if (!read) return say('no_reader')
    let picture
    try {
      picture = await createImageBitmap(file)
    } catch {
      return say('photo_unreadable')
    }
    if (picture.width * picture.height > MOST_PIXELS) return say('photo_too_large')
    const found = await read(picture).catch(() => null)
    picture.close()
    if (!found) return say('no_reader')
    const texts = [...new Set(found)]
    if (!texts.length) return say('no_code')
    await judge(texts.slice(0, MOST_CODES))
  } finally {
    at('photo').value = ''
  }
}

async function typed (event) {
  event.preventDefault()
  const text = at('text').value.trim()
  if (!text) return
  stop()
  await judge([text])
}

/** Loaded at the first use, and then kept; a failure is tried again at the next. */
async function reader () {
  reading ??= import('./reader.js').then(({ makeReader }) => makeReader(parts))
  try {
    return await reading
  } catch (error) {
    reading = null
    throw error
  }
}

// --- the answers ---

async function judge (texts) {
  say('working')
  heard = ''
  const mine = ++asked
  const answers = at('answers')
  const blocks = []
  for (const text of texts) {
    const found = held && await offline.verdict(text, held, clock())
    blocks.push({ text, found, block: element('section', { class: 'answer' }) })
  }
  if (mine !== asked) return
  answers.replaceChildren(...blocks.map(({ block }) => block))
  at('ask').hidden = texts.length === 1
  at('after').hidden = false
  say(texts.length > 1 ? 'several' : null, { n: texts.length })
  const heading = texts.length > 1 ? 'h2' : 'h1'
  for (const one of blocks) show(one, heading, null)
  answers.focus()
  await Promise.all(blocks.map(async (one) => {
    const online = await ask(one.text, parts.language)
    if (mine === asked) show(one, heading, online ?? false)
  }))
}

/** `online` is the register's answer, which is newer and counts; false where none can be had, null while it is awaited. */
function show ({ found, block }, heading, online) {
  const own = found && worded(words, found)
  const code = online ? online.code ?? 'several' : found?.code ?? 'status_unknown'
  const silent = words.catalogue.silent.includes(code)
  block.dataset.code = code
  block.dataset.why = found?.why ?? ''
  block.replaceChildren(...online ? online.parts : answerBlocks(words, own ?? worded(words, { code, why: 'needs_network' }), heading))
  if (online && heading === 'h2') {
    const title = block.querySelector('h1')
    title.replaceWith(element('h2', {}, ...title.childNodes))
  }
  const said = online === null ? null : beside(found, own, online)
  if (said) block.querySelector('.next').after(said)
  if (silent) at('text').value = '' // nor in the field is anything of it shown
  if (online && !silent && code !== 'not_ours') block.append(element('p', {}, element('a', { href: online.address }, words.label('open_page'))))
  const claims = found && !silent && claimRows(words, found)
  if (claims) block.append(element('h2', {}, words.label('claims')), claims)
  if (found) block.append(element('h2', {}, words.label('rests_on')), listRows(words, found, clock()))
  if (heading !== 'h1') return
  document.title = `${block.querySelector('h1').textContent} – ${parts.title}`
  hear(block, said)
}

/** What a screen reader says at once: the verdict, and when the register has answered, what has changed by that. */
function hear (block, said) {
  const verdict = ['.word', 'h1', '.v p'].map((part) => block.querySelector(part)?.textContent ?? '').join(' ')
  at('heard').textContent = [verdict === heard ? '' : verdict, said?.textContent ?? ''].join(' ').trim()
  heard = verdict
}

/** How the register's answer and that of this device go together. */
function beside (found, own, online) {
  if (!online) return note('online_failed')
  if (!found) return null
  if (found.code === online.code && own.family === online.family) return note('online_agrees')
  const hasSaid = found.code !== 'status_unknown' && own.family !== 'input'
  return hasSaid ? note('online_wins', { title: own.title }) : note('online_only')
}

const note = (name, values) => element('p', { class: 'note own' }, words.label(name, values))

function again () {
  asked++
  document.title = parts.title
  at('answers').replaceChildren()
  at('heard').textContent = heard = ''
  at('ask').hidden = false
  at('after').hidden = true
  at('text').value = ''
  say(null)
  at('camera').focus()
}

// --- the lists on this device ---

async function update (byHand) {
  if (!offline) return
  try {
    const fresh = await offline.refresh(stored, clock())
    stored = fresh
    held = await offline.opened(stored, location.host, clock())
    if (!await save(fresh)) said('not_kept')
    else if (byHand || fresh.refusals.length) said(fresh.refusals.length ? 'refresh_refused' : 'refreshed', { code: fresh.refusals[0] })
  } catch (refused) {
    if (!refused.code) throw refused
    const ofTheNetwork = /^(no_network|http_|too_large)/.test(refused.code)
    if (byHand || !ofTheNetwork) said(ofTheNetwork ? 'refresh_failed' : 'refresh_refused', { code: refused.code })
  }
  showLists()
}

async function showLists () {
  const now = clock()
  const trust = held?.trust && { version: held.trust.version, iat: held.trust.iat, exp: Math.min(held.trust.exp, held.trust.rootExp) }
  const ends = []
  for (const id of held?.trust ? held.listIds : []) ends.push(...await held.list(id).then((list) => [list.exp], () => []))
  const first = Math.min(...ends)
  const none = held?.why === 'trust_list_expired' ? words.label('ran_out') : words.label('none_yet')
  at('lists').replaceChildren(rows([
    [words.label('trust_list'), trust ? words.label('trust_age', { version: trust.version, iat: beijing(trust.iat), exp: beijing(trust.exp), age: words.age(now - trust.iat) }) : none, trust && trust.exp <= now],
    [words.label('status_lists_of'), ends.length ? words.label('status_lists', { n: ends.length, exp: beijing(first) }) : words.label('none_yet'), first <= now]
  ], words.label('ran_out')))
  at('network').hidden = navigator.onLine !== false
}

function say (name, values) {
  at('told').textContent = name ? words.label(name, values) : ''
}

function said (name, values) {
  at('refreshed').textContent = words.label(name, values)
}
