/** Paths that a hub names: checked before they become paths of this machine. */

/** Names that Windows keeps for devices, with whatever ending. */
const device = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** What no name of a folder or file may hold on any system: separators, wildcards, control characters. */
const forbidden = /[\\*?"<>|\p{Cc}]/u;

/** A drive; releases of SAEs have folders such as `sae_group:v1`, which only Windows takes for a stream of a file. */
const drive = /^[a-z]:/i;

/**
 * True for a path of plain names below a folder: not absolute, no `..`, nothing that another system reads otherwise.
 * `platform` is that of Node.
 */
export function isHubPath(path: string, platform: NodeJS.Platform = process.platform): boolean {
  if (platform === 'win32' && path.includes(':')) return false;
  return path.length <= 1000 && path.split('/').every(isPlainName);
}

/** Each name of a path encoded for an address. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

function isPlainName(name: string): boolean {
  if (name === '' || name === '.' || name === '..' || name.length > 255) return false;
  return !forbidden.test(name) && !drive.test(name) && !/[. ]$/.test(name) && !device.test(name);
}
