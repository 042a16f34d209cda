/** FileDescriptorProto of the files in `proto/`, which reflection hands out: made from the same declarations as all else. */
import { createRequire } from "node:module";
import protobuf from "protobufjs";
import { bug } from "../../../errors.js";
import { PROTO_FILES, schema } from "./schema.js";

/** One file, and the names that it declares. */
export interface ProtoFile {
  readonly name: string;
  readonly dependencies: readonly string[];
  /** Encoded. */
  readonly descriptor: Uint8Array;
  /** Of services, methods, messages and enums, with their package. */
  readonly symbols: readonly string[];
}

type Descriptor = Record<string, unknown>;

/** FieldDescriptorProto.Type. */
const FIELD_TYPES: Readonly<Record<string, number>> = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  fixed64: 6,
  fixed32: 7,
  bool: 8,
  string: 9,
  bytes: 12,
  uint32: 13,
};
const TYPE_MESSAGE = 11;
const TYPE_ENUM = 14;
const LABEL_OPTIONAL = 1;
const LABEL_REPEATED = 3;

const DEPENDENCIES: Readonly<Record<string, readonly string[]>> = { "grpc_service.proto": ["model_config.proto"] };

export function protoFiles(): readonly ProtoFile[] {
  const json = createRequire(import.meta.url)("protobufjs/google/protobuf/descriptor.json") as protobuf.INamespace;
  const FileDescriptor = protobuf.Root.fromJSON(json).lookupType("google.protobuf.FileDescriptorProto");
  return PROTO_FILES.map((name) => {
    const own = declaredIn(schema(), name);
    const [first] = own;
    if (first === undefined) throw bug(`${name} declares nothing`);
    const dependency = DEPENDENCIES[name] ?? [];
    const file: Descriptor = {
      name,
      package: first.parent?.fullName.slice(1),
      dependency,
      messageType: own.filter((object) => object instanceof protobuf.Type).map(messageOf),
      enumType: own.filter((object) => object instanceof protobuf.Enum).map(enumOf),
      service: own.filter((object) => object instanceof protobuf.Service).map(serviceOf),
      syntax: "proto3",
    };
    return {
      name,
      dependencies: dependency,
      descriptor: FileDescriptor.encode(FileDescriptor.fromObject(file)).finish(),
      symbols: own.flatMap(symbolsOf),
    };
  });
}

/** What a file declares itself, without what is inside of that. */
function declaredIn(namespace: protobuf.NamespaceBase, file: string): protobuf.ReflectionObject[] {
  return namespace.nestedArray.flatMap((object) => {
    const isPackage = object instanceof protobuf.Namespace && object.constructor === protobuf.Namespace;
    if (isPackage) return declaredIn(object, file);
    return object.filename?.endsWith(`/${file}`) ? [object] : [];
  });
}

function symbolsOf(object: protobuf.ReflectionObject): string[] {
  const nested = object instanceof protobuf.Namespace ? object.nestedArray : [];
  const methods = object instanceof protobuf.Service ? object.methodsArray : [];
  return [object.fullName.slice(1), ...[...nested, ...methods].flatMap(symbolsOf)];
}

function messageOf(type: protobuf.Type): Descriptor {
  const { nestedArray, fieldsArray, oneofsArray } = type;
  const maps = fieldsArray.filter((field) => field instanceof protobuf.MapField);
  return {
    name: type.name,
    field: fieldsArray.map((field) => fieldOf(field, oneofsArray)),
    nestedType: [
      ...nestedArray.filter((object) => object instanceof protobuf.Type).map(messageOf),
      ...maps.map(mapEntryOf),
    ],
    enumType: nestedArray.filter((object) => object instanceof protobuf.Enum).map(enumOf),
    oneofDecl: oneofsArray.map(({ name }) => ({ name })),
  };
}

function fieldOf(field: protobuf.Field, oneofs: readonly protobuf.OneOf[]): Descriptor {
  const common = { name: field.name, number: field.id };
  if (field instanceof protobuf.MapField) {
    const typeName = `${field.parent?.fullName}.${entryName(field)}`;
    return { ...common, label: LABEL_REPEATED, type: TYPE_MESSAGE, typeName };
  }
  const label = field.repeated ? LABEL_REPEATED : LABEL_OPTIONAL;
  const oneofIndex = field.partOf === null || field.partOf === undefined ? -1 : oneofs.indexOf(field.partOf);
  return { ...common, label, ...typeOf(field), ...(oneofIndex < 0 ? {} : { oneofIndex }) };
}

function typeOf({ type, resolvedType }: Pick<protobuf.Field, "type" | "resolvedType">): Descriptor {
  if (resolvedType == null) return { type: FIELD_TYPES[type] };
  return { type: resolvedType instanceof protobuf.Enum ? TYPE_ENUM : TYPE_MESSAGE, typeName: resolvedType.fullName };
}

/** A map is a list of messages of a key and a value. */
function mapEntryOf(field: protobuf.MapField): Descriptor {
  return {
    name: entryName(field),
    field: [
      { name: "key", number: 1, label: LABEL_OPTIONAL, type: FIELD_TYPES[field.keyType] },
      { name: "value", number: 2, label: LABEL_OPTIONAL, ...typeOf(field) },
    ],
    options: { mapEntry: true },
  };
}

/** `some_field` has entries of type SomeFieldEntry. */
function entryName({ name }: protobuf.MapField): string {
  return `${name
    .split("_")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("")}Entry`;
}

function enumOf({ name, values }: protobuf.Enum): Descriptor {
  return { name, value: Object.entries(values).map(([value, number]) => ({ name: value, number })) };
}

function serviceOf({ name, methodsArray }: protobuf.Service): Descriptor {
  return {
    name,
    method: methodsArray.map((method) => ({
      name: method.name,
      inputType: method.resolvedRequestType?.fullName,
      outputType: method.resolvedResponseType?.fullName,
      clientStreaming: method.requestStream === true,
      serverStreaming: method.responseStream === true,
    })),
  };
}
