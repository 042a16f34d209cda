/**
 * Which infer requests the listener's threads answer by themselves: those of models that they can step, while nobody has to look at
 * each request. They give back what they do not understand, so that everything else about a request is decided here.
 */
import type { ServedModels } from "../../serving/served-models.js";
import type { ModelEndpoint } from "./model-endpoint.js";

export class NativeInfer {
  /** By model, what the threads were told last. */
  private readonly told = new WeakMap<ModelEndpoint, string>();

  /** @param isOpen  whether requests come in unseen, as of now */
  constructor(
    private readonly models: ServedModels<ModelEndpoint>,
    private readonly isOpen: () => boolean,
  ) {}

  /** To be called when models came or went, or requests have to be looked at from now on, or no longer. */
  refresh(): void {
    const isOpen = this.isOpen();
    for (const endpoint of this.models.all()) {
      const { native } = endpoint;
      if (native === undefined || !native.takesInfer) continue;
      const paths = isOpen ? this.pathsOf(endpoint) : [];
      const text = paths.join();
      if (text === this.told.get(endpoint)) continue;
      this.told.set(endpoint, text);
      native.model.inferPaths(paths);
    }
  }

  /** Those that need no decoding; of the others somebody must say what they name. */
  private pathsOf(endpoint: ModelEndpoint): string[] {
    const { name, version } = endpoint;
    if (encodeURIComponent(name) !== name) return [];
    const path = `/v2/models/${name}`;
    const paths = [`${path}/versions/${version}/infer`];
    if (this.models.find(name) === endpoint) paths.push(`${path}/infer`);
    return paths;
  }
}
