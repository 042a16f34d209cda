/** What can be in a list, one at a time. The neighbours are the list's own to write. */
export interface Linked<T> {
  before: T | undefined;
  after: T | undefined;
}

/** A list in which anything can be moved to the back at once. What has left it knows its neighbours no more. */
export class LinkedList<T extends Linked<T>> {
  private first: T | undefined;
  private last: T | undefined;

  /** From front to back. The one that was given last may be removed. */
  *[Symbol.iterator](): Generator<T> {
    for (let item = this.first; item !== undefined; ) {
      const { after } = item;
      yield item;
      item = after;
    }
  }

  /** At the back. */
  add(item: T): void {
    item.before = this.last;
    item.after = undefined;
    if (this.last === undefined) this.first = item;
    else this.last.after = item;
    this.last = item;
  }

  remove(item: T): void {
    const { before, after } = item;
    if (before === undefined) this.first = after;
    else before.after = after;
    if (after === undefined) this.last = before;
    else after.before = before;
    item.before = undefined;
    item.after = undefined;
  }

  toBack(item: T): void {
    if (this.last === item) return;
    this.remove(item);
    this.add(item);
  }
}
