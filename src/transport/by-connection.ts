import { CONNECTION_SLOTS } from "../engine/server-surface.js";

/**
 * What is kept for connections, by their numbers. An array, because a Map that things are put into and taken out of all the time keeps
 * what was in it alive for long: V8 leaves each of its former tables linked to the next.
 */
export class ByConnection<T extends { readonly connection: number }> {
  private readonly slots: (T | undefined)[] = [];
  private readonly places: number;

  /** @param threads  of the server */
  constructor(threads: number) {
    this.places = CONNECTION_SLOTS * threads;
  }

  get(connection: number): T | undefined {
    const found = this.slots[connection % this.places];
    return found?.connection === connection ? found : undefined;
  }

  add(item: T): void {
    const at = item.connection % this.places;
    // No holes: an array with many would become a table.
    while (this.slots.length < at) this.slots.push(undefined);
    this.slots[at] = item;
  }

  delete(connection: number): void {
    const at = connection % this.places;
    if (this.slots[at]?.connection === connection) this.slots[at] = undefined;
  }
}
