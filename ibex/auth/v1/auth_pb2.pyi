import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ValidateTokenRequest(_message.Message):
    __slots__ = ("access_token", "client_address")
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    access_token: str
    client_address: str
    def __init__(self, access_token: _Optional[str] = ..., client_address: _Optional[str] = ...) -> None: ...

class ValidateTokenResponse(_message.Message):
    __slots__ = ("org_id", "permissions", "permission_bits", "agent_id", "user_id", "token_id", "expires_at")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    PERMISSIONS_FIELD_NUMBER: _ClassVar[int]
    PERMISSION_BITS_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    permissions: _containers.RepeatedScalarFieldContainer[str]
    permission_bits: int
    agent_id: str
    user_id: str
    token_id: str
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, org_id: _Optional[str] = ..., permissions: _Optional[_Iterable[str]] = ..., permission_bits: _Optional[int] = ..., agent_id: _Optional[str] = ..., user_id: _Optional[str] = ..., token_id: _Optional[str] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ValidateAgentRequest(_message.Message):
    __slots__ = ("access_token", "agent", "client_address")
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    access_token: str
    agent: str
    client_address: str
    def __init__(self, access_token: _Optional[str] = ..., agent: _Optional[str] = ..., client_address: _Optional[str] = ...) -> None: ...

class ValidateAgentResponse(_message.Message):
    __slots__ = ("org_id", "permissions", "permission_bits", "agent_id", "user_id", "token_id", "expires_at", "agent_slug")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    PERMISSIONS_FIELD_NUMBER: _ClassVar[int]
    PERMISSION_BITS_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    AGENT_SLUG_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    permissions: _containers.RepeatedScalarFieldContainer[str]
    permission_bits: int
    agent_id: str
    user_id: str
    token_id: str
    expires_at: _timestamp_pb2.Timestamp
    agent_slug: str
    def __init__(self, org_id: _Optional[str] = ..., permissions: _Optional[_Iterable[str]] = ..., permission_bits: _Optional[int] = ..., agent_id: _Optional[str] = ..., user_id: _Optional[str] = ..., token_id: _Optional[str] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., agent_slug: _Optional[str] = ...) -> None: ...
