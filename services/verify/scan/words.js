// The sentences, from the one catalogue that pages and JSON use, in the page's language.

export class Words {
  constructor (catalogue, language) {
    this.catalogue = catalogue
    this.language = language
  }

  /** A label, its `{names}` filled in. */
  label (name, values = {}) {
    return this.fill(this.catalogue.label[name], values)
  }

  fill (text, values = {}) {
    return text[this.language].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '–')
  }

  age (seconds) {
    const [name, unit] = seconds < 7200 ? ['minutes', 60] : seconds < 172800 ? ['hours', 3600] : ['days', 86400]
    return this.label(name, { n: Math.max(0, Math.floor(seconds / unit)) })
  }
}

export async function loadWords (address, integrity, language) {
  const response = await fetch(address, { integrity, credentials: 'omit' })
  return new Words(await response.json(), language)
}
