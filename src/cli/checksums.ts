import type { CAC } from "cac";
import { nativeChecksums } from "../runtime/index.js";

export function registerChecksums(cli: CAC): void {
  cli
    .command("checksums", "Print the SHA-256 of the native libraries, as sha256sum does")
    .example("  headrace checksums > headrace.sha256")
    .example("  HEADRACE_CHECKSUMS=headrace.sha256 headrace serve gru.onnx     loads no other libraries")
    .action(() => {
      process.stdout.write(nativeChecksums());
    });
}
