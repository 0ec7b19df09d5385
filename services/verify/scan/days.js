// Days of the register: civil dates at UTC+8, counted from 1970-01-01.

const DAY = 86400
const CHINA = 8 * 3600

/** The day of an instant in seconds. */
export const dayOf = (seconds) => Math.floor((seconds + CHINA) / DAY)

export const dateOf = (day) => new Date(day * DAY * 1000).toISOString().slice(0, 10)

/** The day of a date `YYYY-MM-DD`. */
export const dayNamed = (text) => Date.parse(`${text}T00:00:00Z`) / (DAY * 1000)

/** An instant as people in China read it, to the minute. */
export function beijing (seconds) {
  return new Date((seconds + CHINA) * 1000).toISOString().slice(0, 16).replace('T', ' ')
}
