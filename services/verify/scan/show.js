// An answer as people see it: the same icon, word, headline and reason as on the pages, built without any markup of ours.

import { beijing, dateOf } from './days.js'

export function element (name, attributes = {}, ...children) {
  const made = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value)
  made.append(...children)
  return made
}

/** The block with the verdict. `heading` is h1 where it is the page's only answer. */
export function verdictBlock (words, { family, title, explanation }, heading) {
  const icon = document.getElementById(`icon-${family}`).content.cloneNode(true)
  const word = element('span', { class: 'word' }, words.label('answer') + words.label('colon') + words.fill(words.catalogue.verdict[family]))
  return element('div', { class: `v ${family}` },
    element('div', { class: 'say' }, icon, element('div', {}, word, element(heading, {}, title))),
    element('p', {}, explanation))
}

/** What the check on this device says: {family, title, explanation, next}. */
export function worded (words, { code, why, gtin, claims }) {
  const told = words.catalogue.answers[code]
  let explanation = why
    ? words.fill(words.catalogue.because[why]) + (words.language === 'en' ? ' ' : '') + words.fill(words.catalogue.neither)
    : words.fill(told.offline)
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

/** What the register says of the thing in one's hand, to be compared with it. */
export function registerRows (words, answer) {
  const certificate = answer.certificate
  if (!certificate) return null
  const product = certificate.product
  const models = answer.item ? answer.item.model : product?.items?.map((item) => item.model).join(words.label('and'))
  return rows([
    [words.label('product'), product?.name],
    [words.label('trademark'), product?.trademark],
    [words.label('models'), models],
    [words.label('service_scope'), certificate.service_scope],
    [words.label('holder'), certificate.holder?.name],
    [words.label('certificate_no'), certificate.certificate_no],
    [words.label('validity'), words.label('from_to', { from_: certificate.valid_from, until: certificate.valid_until ?? words.label('no_end') })]
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
