/** An SVG picture drawn into a PNG by the browser. */

/** Pixels of a picture for one of the SVG's, and the most that a side may have. */
const density = 2;
const mostPixels = 8192;

/**
 * Base64 of the PNG, without a prefix.
 * @throws Error when the browser cannot draw the picture
 */
export async function drawPng(svg: string): Promise<string> {
  const image = new Image();
  // A data address, since the page may load images from nowhere else.
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const scale = Math.min(density, mostPixels / Math.max(1, image.naturalWidth, image.naturalHeight));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
  const context = canvas.getContext('2d');
  if (!context) throw new Error('This window has no canvas to draw on.');
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL('image/png').replace(/^data:image\/png;base64,/, '');
}
