/** Certificates for tests, made by the `openssl` program. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";

export interface Certificate {
  readonly keyFile: string;
  readonly certFile: string;
  readonly key: Buffer;
  readonly cert: Buffer;
}

/** An authority and what it has signed, in a folder that goes when the test ends. */
export class Authority {
  readonly folder = mkdtempSync(join(tmpdir(), "headrace-ca-"));
  readonly own: Certificate;

  constructor(t: Test, name = "Test CA") {
    t.teardown(() => rmSync(this.folder, { recursive: true }));
    this.own = this.files("ca");
    const subject = ["-subj", `/CN=${name}`, "-addext", "basicConstraints=critical,CA:TRUE"];
    openssl(["req", "-x509", ...NEW_KEY, "-days", "2", ...subject, ...this.out(this.own)]);
  }

  get caFile(): string {
    return this.own.certFile;
  }

  get ca(): Buffer {
    return readFileSync(this.caFile);
  }

  /** For a server on this machine. */
  server(name = "localhost", passphrase?: string): Certificate {
    return this.sign(name, `/CN=${name}`, "subjectAltName=DNS:localhost,IP:127.0.0.1", passphrase);
  }

  client(name: string): Certificate {
    return this.sign(name, `/O=Tests/CN=${name}`, "extendedKeyUsage=clientAuth");
  }

  private sign(name: string, subject: string, extension: string, passphrase?: string): Certificate {
    const made = this.files(name);
    const request = join(this.folder, `${name}.csr`);
    const extensions = join(this.folder, `${name}.ext`);
    writeFileSync(extensions, extension);
    openssl(["req", ...NEW_KEY, "-subj", subject, "-keyout", made.keyFile, "-out", request]);
    const authority = ["-CA", this.own.certFile, "-CAkey", this.own.keyFile, "-CAcreateserial"];
    openssl([
      "x509",
      "-req",
      "-in",
      request,
      ...authority,
      "-days",
      "2",
      "-extfile",
      extensions,
      "-out",
      made.certFile,
    ]);
    if (passphrase !== undefined) {
      openssl(["ec", "-in", made.keyFile, "-aes256", "-passout", `pass:${passphrase}`, "-out", made.keyFile]);
    }
    return made;
  }

  private out({ keyFile, certFile }: Certificate): string[] {
    return ["-keyout", keyFile, "-out", certFile];
  }

  private files(name: string): Certificate {
    const keyFile = join(this.folder, `${name}.key`);
    const certFile = join(this.folder, `${name}.pem`);
    return {
      keyFile,
      certFile,
      get key() {
        return readFileSync(keyFile);
      },
      get cert() {
        return readFileSync(certFile);
      },
    };
  }
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

function openssl(args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** Why tests that need certificates cannot run here; false: they can. */
export function noOpenssl(): string | false {
  try {
    openssl(["version"]);
    return false;
  } catch {
    return "the openssl program is not here";
  }
}
