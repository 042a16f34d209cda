/** Resolves at the first SIGTERM or SIGINT from now on; a second one, of either, ends the process at once. */
export function untilAsked(): Promise<void> {
  return new Promise((resolve) => {
    const asked = (): void => {
      process.off("SIGTERM", asked).off("SIGINT", asked);
      resolve();
    };
    process.on("SIGTERM", asked).on("SIGINT", asked);
  });
}
