// Newer lists from this host: taken over only after they passed every check, else what was there is kept.

import { bytesFrom } from './bytes.js'
import { Refused } from './refused.js'
import { MOST_BYTES as MOST_OF_A_LIST, openList } from './status.js'
import { MOST_BYTES as MOST_OF_A_BUNDLE, walk } from './trust.js'

const MOST_LISTS = 256

/**
 * What to store from now on, {bundle, pin, seen, lists, refreshedAt}, and `refusals` of single status lists.
 * A trust list that is refused, or rolled back, throws and changes nothing.
 */
export async function refresh (stored, now, get = bytesFrom) {
  const bundle = await get('/.well-known/certmark-trust', MOST_OF_A_BUNDLE)
  const { list, rootVersion, pin } = await walk(bundle, stored.pin, now, stored.seen)
  const lists = new Map()
  const refusals = []
  for (const id of await ids(list.status, get)) {
    const uri = `${list.status}/${id}`
    const before = await opened(stored.lists?.get(id), uri, list.signers)
    try {
      const bytes = await get(`/status/${id}`, MOST_OF_A_LIST)
      const fresh = await openList(bytes, uri, list.signers)
      if (before && fresh.iat < before.iat) throw new Refused('list-rolled-back', 'older than the one that is here')
      lists.set(id, bytes)
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused
      refusals.push(refused.code)
      if (before) lists.set(id, stored.lists.get(id))
    }
  }
  return { bundle, pin, seen: { root: rootVersion, list: list.version }, lists, refreshedAt: now, refusals }
}

/** The numbers of the lists that there are; an address that is not below the trust list's own is none of ours. */
async function ids (base, get) {
  let told
  try {
    told = JSON.parse(new TextDecoder().decode(await get('/status/lists', MOST_OF_A_LIST)))
  } catch (error) {
    throw error instanceof Refused ? error : new Refused('lists-unreadable', 'not JSON')
  }
  const uris = Array.isArray(told?.status_lists) ? told.status_lists.slice(0, MOST_LISTS) : []
  return uris
    .filter((uri) => typeof uri === 'string' && uri.startsWith(`${base}/`) && /^[0-9]{1,9}$/.test(uri.slice(base.length + 1)))
    .map((uri) => Number(uri.slice(base.length + 1)))
}

async function opened (bytes, uri, signers) {
  if (!bytes) return null
  try {
    return await openList(bytes, uri, signers)
  } catch {
    return null
  }
}
