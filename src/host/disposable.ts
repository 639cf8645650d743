/** Ownership of resources: what an object owns goes when the object goes. */

/** Anything that can be disposed of. */
export interface Disposes {
  dispose(): unknown;
}

/** A base for objects that own others. */
export abstract class Disposable {
  private readonly owned: Disposes[] = [];
  private disposed = false;

  /** True once `dispose` has run. */
  protected get isDisposed(): boolean {
    return this.disposed;
  }

  /** Takes ownership of `resource` and returns it; disposes of it at once when this object is gone already. */
  protected own<T extends Disposes>(resource: T): T {
    if (this.disposed) resource.dispose();
    else this.owned.push(resource);
    return resource;
  }

  /** Disposes of everything owned, last come first. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    for (const resource of this.owned.splice(0).reverse()) resource.dispose();
  }
}
