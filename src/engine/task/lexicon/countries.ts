// Countries and their capitals, each a single word.

/** A country and its capital. */
export interface Country {
  readonly text: string;
  readonly capital: string;
}

/** Forty countries whose own name and capital are one word each. */
export const countries: readonly Country[] = (
  'France/Paris Germany/Berlin Italy/Rome Spain/Madrid Portugal/Lisbon Greece/Athens Austria/Vienna Poland/Warsaw ' +
  'Hungary/Budapest Russia/Moscow Ukraine/Kyiv Sweden/Stockholm Norway/Oslo Denmark/Copenhagen Finland/Helsinki ' +
  'Ireland/Dublin England/London Scotland/Edinburgh Belgium/Brussels Switzerland/Bern Turkey/Ankara Egypt/Cairo ' +
  'Kenya/Nairobi Morocco/Rabat Ghana/Accra Japan/Tokyo China/Beijing Thailand/Bangkok Vietnam/Hanoi Indonesia/Jakarta ' +
  'Iran/Tehran Iraq/Baghdad Lebanon/Beirut Cuba/Havana Peru/Lima Chile/Santiago Canada/Ottawa Romania/Bucharest ' +
  'Bulgaria/Sofia Nepal/Kathmandu'
)
  .split(' ')
  .map((entry) => {
    const [text, capital] = entry.split('/') as [string, string];
    return { text, capital };
  });
