// An answer as people see it: the same icon, word, headline and reason as on the pages, built without any markup of ours.

import { beijing, dateOf } from './days.js'

export function element (name, attributes = {}, ...children) {
  const made = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value)
  made.append(...children)
  return made
}

/** What a page shows first: the verdict, what to do, and when it was asked. `heading` is h1 where it is the only answer. */
export function answerBlocks (words, { family, title, explanation, next }, heading) {
  const icon = document.getElementById(`icon-${family}`).content.cloneNode(true)
  const labelled = (name, text) => words.label(name) + words.label('colon') + text
  const word = element('span', { class: 'word' }, labelled('answer', words.fill(words.catalogue.verdict[family])))
  const say = element('div', { class: 'say' }, icon, element('div', {}, word, element(heading, {}, title)))
  return [
    element('div', { class: `v ${family}` }, say, element('p', {}, explanation)),
    element('p', { class: 'next' }, labelled('next', next)),
    element('p', { class: 'when' }, `${labelled('checked_at', beijing(Date.now() / 1000))} (${words.label('beijing')})`)
  ]
}

/** What the check on this device says: {family, title, explanation, next}. */
export function worded (words, { code, why, gtin, claims }) {
  const told = words.catalogue.answers[code]
  let explanation = why
    ? words.fill(words.catalogue.because[why]) + (words.language === 'en' ? ' ' : '') + words.fill(words.catalogue.neither)
    : words.fill(told.explanation)
  let next = told.next_step
  if (code === 'valid' && claims && !gtin) {
    explanation = words.fill(words.catalogue.without_product)
    next = words.catalogue.without_product_next
  }
  return { family: told.family, title: words.fill(told.title), explanation, next: words.fill(next) }
}

/** What a code says, where a registered signer stands behind it. */
export function claimRows (words, { claims, gtin, serial }) {
  if (!claims) return null
  const from = dateOf(claims.issuedDay)
  const until = claims.lastDay === null ? words.label('no_end') : dateOf(claims.lastDay)
  return rows([
    [words.label('model'), claims.model],
    [words.label('gtin'), gtin],
    [words.label('serial'), serial],
    [words.label('mark_no'), claims.markNo],
    [words.label('certificate_no'), claims.certificateNo],
    [words.label('printed'), words.label('from_to', { from_: from, until })]
  ])
}

/** The age of the lists behind an answer. */
export function listRows (words, { trust, list, why }, now) {
  const none = words.label(trust && why !== 'no_status_list' ? 'not_asked' : 'none_yet')
  const told = (name, one, values) => one
    ? [words.label(name, { ...values, iat: beijing(one.iat), exp: beijing(one.exp), age: words.age(now - one.iat) }), one.exp <= now]
    : [none, false]
  return rows([
    [words.label('trust_list'), ...told('trust_age', trust, { version: trust?.version })],
    [words.label('status_list'), ...told('status_age', list, { id: list?.id })]
  ], words.label('ran_out'))
}

export function rows (told, tag) {
  const list = element('dl')
  for (const [label, text, marked] of told) {
    if (text === null || text === undefined || text === '') continue
    const value = element('dd', {}, text)
    if (marked) value.append(' ', element('span', { class: 'tag no' }, tag))
    list.append(element('div', {}, element('dt', {}, label), value))
  }
  return list
}
