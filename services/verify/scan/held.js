// What this device holds for the check offline, opened and checked anew whenever it was loaded: storage is not believed.

import { openList } from './status.js'
import { Refused } from './refused.js'
import { walk } from './trust.js'

const EXPIRED = ['trust-list-expired', 'trust-root-expired']

/**
 * `stored` is {bundle, pin, seen, lists: Map of id → bytes}, any of them absent; `host` is this page's own, which counts
 * as the register's until a trust list names its hosts.
 */
export async function opened (stored, host, now) {
  let walked = null
  let why = null
  if (stored.bundle) {
    try {
      walked = await walk(stored.bundle, stored.pin, now, stored.seen)
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused
      why = EXPIRED.includes(refused.code) ? 'trust_list_expired' : 'no_trust_list'
    }
  }
  const trust = walked && {
    ...walked.list,
    rootExp: walked.rootExp,
    markKeys: walked.list.signers.filter((key) => key.purpose === 'mark')
  }
  const lists = new Map()
  const list = (id) => {
    if (!lists.has(id)) {
      const bytes = stored.lists?.get(id)
      lists.set(id, bytes ? openList(bytes, `${trust.status}/${id}`, trust.signers) : Promise.resolve(null))
    }
    return lists.get(id)
  }
  return { trust, why, hosts: [host], list, listIds: [...(stored.lists?.keys() ?? [])] }
}
