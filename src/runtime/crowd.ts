/** What can be in a crowd, one at a time. */
export interface Member {
  /** Where it is; the crowd's own to write. Below 0: in none. */
  place: number;
}

/**
 * Things that come and go all the time, in no order. An array, because a Set of such things keeps what was in it alive for long: V8 leaves
 * each of its former tables linked to the next.
 */
export class Crowd<T extends Member> {
  private readonly members: T[] = [];

  get size(): number {
    return this.members.length;
  }

  /** Those that are in it, in a list of their own: some may leave while it is walked through. */
  all(): T[] {
    return [...this.members];
  }

  add(member: T): void {
    member.place = this.members.length;
    this.members.push(member);
  }

  delete(member: T): void {
    const { place } = member;
    if (place < 0) return;
    member.place = -1;
    const last = this.members.pop();
    if (last === undefined || last === member) return;
    last.place = place;
    this.members[place] = last;
  }
}
