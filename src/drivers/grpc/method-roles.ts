/** What each method needs a client to be allowed. A method that is not here is not served: see `roleOfMethod`. */
import { bug } from "../../errors.js";
import type { NeededRole } from "../../serving/client-gate.js";

const V2 = "/inference.GRPCInferenceService";

/** By `/package.Service/Method`. */
export const METHOD_ROLES: Readonly<Record<string, NeededRole>> = {
  "/grpc.health.v1.Health/Check": "health",
  "/grpc.health.v1.Health/Watch": "health",
  [`${V2}/ServerLive`]: "health",
  [`${V2}/ServerReady`]: "health",
  [`${V2}/ModelReady`]: "health",

  [`${V2}/ModelInfer`]: "predict",
  [`${V2}/ModelStreamInfer`]: "predict",

  [`${V2}/ServerMetadata`]: "read",
  [`${V2}/ModelMetadata`]: "read",
  [`${V2}/ModelConfig`]: "read",
  [`${V2}/ModelStatistics`]: "read",
  [`${V2}/RepositoryIndex`]: "read",
  [`${V2}/SystemSharedMemoryStatus`]: "read",
  [`${V2}/CudaSharedMemoryStatus`]: "read",
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": "read",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "read",

  [`${V2}/RepositoryModelLoad`]: "admin",
  [`${V2}/RepositoryModelUnload`]: "admin",
  [`${V2}/SystemSharedMemoryRegister`]: "admin",
  [`${V2}/SystemSharedMemoryUnregister`]: "predict",
  [`${V2}/CudaSharedMemoryRegister`]: "admin",
  [`${V2}/CudaSharedMemoryUnregister`]: "predict",
  [`${V2}/TraceSetting`]: "admin",
  [`${V2}/LogSettings`]: "admin",
};

export function roleOfMethod(path: string): NeededRole {
  const role = Object.hasOwn(METHOD_ROLES, path) ? METHOD_ROLES[path] : undefined;
  if (role === undefined) throw bug(`the method ${path} has no role in METHOD_ROLES`);
  return role;
}
