"""Parser for `tf.train.Example`, the record format of TFDS, without TensorFlow."""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_KINDS = (("bytes_list", _FIELD.TYPE_BYTES), ("float_list", _FIELD.TYPE_FLOAT),
          ("int64_list", _FIELD.TYPE_INT64))  # fmt: skip


def _message() -> Any:
    """The class of the message, in a separate pool: TensorFlow may be loaded too.

    Example {Features features = 1}, Features {map<string, Feature> feature = 1}, and a Feature is
    one of three lists {repeated value = 1}.
    """
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="e", syntax="proto3")
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, kind) in enumerate(_KINDS, start=1):
        values = file.message_type.add(name=name)
        values.field.add(name="value", number=1, label=_FIELD.LABEL_REPEATED, type=kind)
        feature.field.add(name=name, number=number, label=_FIELD.LABEL_OPTIONAL, oneof_index=0,
                          type=_FIELD.TYPE_MESSAGE, type_name=f".e.{name}")  # fmt: skip
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=_FIELD.LABEL_OPTIONAL, type=_FIELD.TYPE_STRING)
    entry.field.add(name="value", number=2, label=_FIELD.LABEL_OPTIONAL, type=_FIELD.TYPE_MESSAGE,
                    type_name=".e.Feature")  # fmt: skip
    features.field.add(name="feature", number=1, label=_FIELD.LABEL_REPEATED,
                       type=_FIELD.TYPE_MESSAGE, type_name=".e.Features.FeatureEntry")  # fmt: skip
    example = file.message_type.add(name="Example")
    example.field.add(name="features", number=1, label=_FIELD.LABEL_OPTIONAL,
                      type=_FIELD.TYPE_MESSAGE, type_name=".e.Features")  # fmt: skip
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("e.Example"))


_EXAMPLE = _message()


def parse(record: bytes) -> dict[str, list]:
    """The fields of a record by name, each a list of bytes, floats or integers."""
    fields = {}
    for name, feature in _EXAMPLE.FromString(record).features.feature.items():
        kind = feature.WhichOneof("kind")
        fields[name] = list(getattr(feature, kind).value) if kind else []
    return fields
