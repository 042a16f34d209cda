/** Tells somebody who only watches. What goes wrong there is uncaught, as it should be seen, but costs nobody else anything. */
export function unharmed(tell: () => void): void {
  try {
    tell();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
