// What the register itself says of a text, where there is a network: the verdict of the answer's own page.

const PARTS = 'main > .note, main > .v, main > .next, main > .when, main > h2, main > dl'

/**
 * {code, family, title, address, parts}, or null where no answer can be had or the register cannot say either. `code` is
 * null where the page is a list to choose from; `parts` are what is to be shown of it, in their order.
 */
export async function ask (text, language) {
  if (navigator.onLine === false) return null
  try {
    const address = `/?q=${encodeURIComponent(text)}&lang=${language}`
    const headers = { Accept: 'text/html' }
    const response = await fetch(address, { headers, credentials: 'omit', cache: 'no-store', signal: AbortSignal.timeout(8000) })
    return response.ok ? read(await response.text(), response.url) : null
  } catch {
    return null
  }
}

/** The page's own words: a parsed document runs and loads nothing. */
function read (html, address) {
  const page = new DOMParser().parseFromString(html, 'text/html')
  return {
    code: page.querySelector('main > .when > code')?.textContent ?? null,
    family: page.querySelector('main > .v').classList[1],
    title: page.querySelector('h1').textContent,
    address,
    parts: [...page.querySelectorAll(PARTS)].filter((part) => part.tagName !== 'H2' || part.nextElementSibling?.tagName === 'DL')
  }
}
