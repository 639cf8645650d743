/** Names and links of a downloaded folder lead to its own files only. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fileInFolder } from '../../../../src/engine/files/insideFolder.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

async function scene(): Promise<{ root: string; folder: string; secret: string }> {
  const root = await temporaryFolder();
  const folder = join(root, 'sae');
  await mkdir(join(folder, 'inner'), { recursive: true });
  await writeFile(join(folder, 'inner', 'a.bin'), 'a');
  const secret = join(root, 'secret');
  await writeFile(secret, 's');
  return { root, folder, secret };
}

describe('fileInFolder', () => {
  it('finds files of the folder, also through links that stay inside it', async () => {
    const { folder } = await scene();
    const real = join(folder, 'inner', 'a.bin');
    await symlink(real, join(folder, 'link.bin'));
    expect(await fileInFolder(folder, 'inner/a.bin')).toBe(real);
    expect(await fileInFolder(folder, 'link.bin')).toBe(real);
  });

  it('finds them when the folder itself is a link', async () => {
    const { root, folder } = await scene();
    await symlink(folder, join(root, 'elsewhere'));
    expect(await fileInFolder(join(root, 'elsewhere'), 'inner/a.bin')).toBe(join(folder, 'inner', 'a.bin'));
  });

  it.each(['../secret', '/etc/passwd', 'inner/../../secret', '..', '', '..\\secret', 'C:\\x', 'a\0b'])(
    'refuses the name %j',
    async (name) => {
      const { folder } = await scene();
      expect(await failure(fileInFolder(folder, name))).toMatchObject({
        code: 'file.malformed',
        data: { path: folder, expected: 'one inside the folder' },
      });
    },
  );

  it('refuses links that leave the folder, of files and of folders in between', async () => {
    const { root, folder, secret } = await scene();
    await symlink(secret, join(folder, 'weights.bin'));
    await symlink(root, join(folder, 'up'));
    for (const name of ['weights.bin', 'up/secret']) {
      const error = await failure(fileInFolder(folder, name));
      expect(error).toMatchObject({
        code: 'file.malformed',
        data: { path: join(folder, name), expected: 'a file of this folder' },
      });
    }
  });

  it('is not fooled by a folder whose name begins alike', async () => {
    const { root, folder } = await scene();
    await mkdir(`${folder}-private`);
    await writeFile(join(`${folder}-private`, 'key'), 'k');
    await symlink(join(root, 'sae-private', 'key'), join(folder, 'key'));
    expect((await failure(fileInFolder(folder, 'key'))).code).toBe('file.malformed');
  });

  it('follows snapshots of the Hugging Face cache to the blobs of the same repository, and to no others', async () => {
    const root = await temporaryFolder();
    for (const owner of ['models--a--b', 'models--c--d']) {
      await mkdir(join(root, owner, 'blobs'), { recursive: true });
      await writeFile(join(root, owner, 'blobs', '123'), owner);
    }
    const snapshot = join(root, 'models--a--b', 'snapshots', 'main');
    await mkdir(join(snapshot, 'layer_0'), { recursive: true });
    const blob = join(root, 'models--a--b', 'blobs', '123');
    await symlink('../../../blobs/123', join(snapshot, 'layer_0', 'params.npz'));
    await symlink('../../../models--c--d/blobs/123', join(snapshot, 'other'));
    expect(await fileInFolder(snapshot, 'layer_0/params.npz')).toBe(blob);
    expect(await fileInFolder(join(snapshot, 'layer_0'), 'params.npz')).toBe(blob);
    expect((await failure(fileInFolder(snapshot, 'other'))).code).toBe('file.malformed');
  });

  it('tells missing files and circles of links', async () => {
    const { folder } = await scene();
    expect((await failure(fileInFolder(folder, 'gone'))).code).toBe('file.missing');
    await symlink(join(folder, 'y'), join(folder, 'x'));
    await symlink(join(folder, 'x'), join(folder, 'y'));
    expect((await failure(fileInFolder(folder, 'x'))).code).toBe('file.unreadable');
  });
});
