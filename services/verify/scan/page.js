// The scanner's page: what is tapped, typed or chosen, and what is shown for it.

import { NoCamera, openCamera, watch } from './camera.js'
import { beijing, dateOf, dayOf } from './days.js'
import { ask, facts } from './online.js'
import { claimRows, element, listRows, registerRows, rows, verdictBlock, worded } from './show.js'
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

start()

async function start () {
  words = await loadWords(parts.words, parts.wordsIntegrity, parts.language)
  at('camera').addEventListener('click', scan)
  at('photo').addEventListener('change', photo)
  at('form').addEventListener('submit', typed)
  at('refresh').addEventListener('click', () => update(true))
  at('again').addEventListener('click', again)
  addEventListener('offline', showLists)
  addEventListener('online', () => update(false))
  stored = await load()
  if (parts.offline) offline = { ...await import('./verdict.js'), ...await import('./held.js'), ...await import('./refresh.js') }
  held = offline ? await offline.opened(stored, location.host, clock()) : null
  if (/MicroMessenger|AlipayClient/i.test(navigator.userAgent)) say('in_app')
  if (!offline) say('no_offline')
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
    const texts = [...new Set(await read(picture))]
    picture.close()
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
  const mine = ++asked
  const answers = at('answers')
  const blocks = []
  for (const text of texts) {
    const before = performance.now()
    const found = held && await offline.verdict(text, held, clock())
    page.dataset.checkMs = (performance.now() - before).toFixed(2)
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
    const online = await ask(one.text)
    if (mine === asked) show(one, heading, online ?? false)
  }))
}

/** `online` is the register's answer, false where none can be had, null while it is awaited. */
function show ({ text, found, block }, heading, online) {
  const now = clock()
  const own = found && worded(words, found)
  const decided = found && (found.code !== 'status_unknown')
  const wins = online && !(decided && online.code === found.code)
  const shown = wins ? fromOnline(online) : own ?? worded(words, { code: 'status_unknown', why: 'needs_network' })
  block.dataset.code = wins ? online.code ?? 'several' : found?.code ?? 'status_unknown'
  block.dataset.why = found?.why ?? ''
  block.replaceChildren(verdictBlock(words, shown, heading))
  if (online === false) block.append(note('online_failed'))
  else if (wins && decided) block.append(note('online_wins', { title: own.title }))
  else if (wins && found) block.append(note('online_only'))
  else if (online) block.append(note('online_agrees'))
  if (shown.next) block.append(element('p', { class: 'next' }, words.label('next') + words.label('colon') + shown.next))
  const link = wins || online ? pageOf(text, online) : null
  if (link) block.append(element('p', {}, element('a', { href: link }, words.label('open_page'))))
  const silent = wins && words.catalogue.silent.includes(online.code)
  if (words.catalogue.silent.includes(block.dataset.code)) at('text').value = '' // nor in the field is anything of it shown
  const registered = wins && registerRows(words, online)
  if (registered) block.append(element('h2', {}, words.label('details')), registered)
  const claims = found && !silent && claimRows(words, found)
  if (claims) block.append(element('h2', {}, words.label('claims')), claims)
  if (found) block.append(element('h2', {}, words.label('rests_on')), listRows(words, found, now))
  const when = `${words.label('checked_at')}${words.label('colon')}${beijing(now)} (${words.label('beijing')})`
  block.append(element('p', { class: 'when' }, when))
  if (heading === 'h1') document.title = `${shown.title} – ${parts.title}`
}

function fromOnline (answer) {
  const told = words.catalogue.answers[answer.code]
  const explanation = told ? words.fill(told.explanation, facts(answer, words, dateOf(dayOf(clock())))) : ''
  return { family: answer.family, title: words.fill(answer.title), explanation, next: told ? words.fill(told.next_step) : '' }
}

/** The answer's page on this host; none after a code of which nothing may be shown. */
function pageOf (text, answer) {
  if (words.catalogue.silent.includes(answer.code) || answer.code === 'not_ours') return null
  return `/?q=${encodeURIComponent(text)}&lang=${parts.language}`
}

const note = (name, values) => element('p', { class: 'note' }, words.label(name, values))

function again () {
  asked++
  document.title = parts.title
  at('answers').replaceChildren()
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
    await save(fresh)
    if (byHand || fresh.refusals.length) said(fresh.refusals.length ? 'refresh_refused' : 'refreshed', { code: fresh.refusals[0] })
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
