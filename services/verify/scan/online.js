// What the register itself says of a text, where there is a network.

/** The answer of /v1/verify, or null where none can be had or the register cannot say either. */
export async function ask (text) {
  if (navigator.onLine === false) return null
  try {
    const address = `/v1/verify?q=${encodeURIComponent(text)}`
    const response = await fetch(address, { credentials: 'omit', cache: 'no-store', signal: AbortSignal.timeout(8000) })
    const answer = response.ok ? await response.json() : null
    return answer && answer.code !== 'status_unknown' ? answer : null
  } catch {
    return null
  }
}

/** The names that the catalogue's sentences use, from the register's answer. */
export function facts (answer, words, today) {
  const certificate = answer.certificate ?? {}
  const items = certificate.product?.items ?? []
  const clause = answer.until && words.catalogue.until[today <= answer.until ? 'planned' : 'overdue']
  return {
    as_of: answer.as_of?.slice(0, 16).replace('T', ' ').concat(' UTC'),
    since: answer.since,
    until_clause: clause ? words.fill(clause, { until: answer.until }) : '',
    reason: answer.reason && `${answer.reason[words.language]} (${answer.reason.code})`,
    body: answer.body?.name ?? answer.body?.approval_no,
    valid_from: certificate.valid_from,
    valid_until: certificate.valid_until,
    mark: answer.mark?.mark,
    asked: answer.item?.gtin,
    registered: items.map((item) => item.model).join(words.label('and')) || certificate.service_scope
  }
}
