import { existsSync } from "node:fs";
import { addonFiles, checksums } from "../engine/native-files.js";
import { HeadraceError } from "../errors.js";

/**
 * The SHA-256 of the native libraries that would be loaded, in the form of `sha256sum`: what HEADRACE_CHECKSUMS wants to find.
 *
 * ```ts
 * nativeChecksums().split("\n").length; // 3
 * ```
 *
 * @throws HeadraceError NATIVE_UNAVAILABLE where the addon has not been built.
 */
export function nativeChecksums(): string {
  const built = addonFiles().find((file) => existsSync(file));
  if (built !== undefined) return checksums(built);
  throw new HeadraceError("NATIVE_UNAVAILABLE", "the native engine has not been built: npm run build:native");
}
