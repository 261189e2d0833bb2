package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of the gRPC health protocol, grpc.health.v1.
const (
	healthCheck   = "/grpc.health.v1.Health/Check"
	serviceField  = 1
	statusField   = 1
	statusServing = 1

	// maxMessageBytes is the maximum size of the answer to a health check, which is a
	// number.
	maxMessageBytes = 4 << 10
	// prefixBytes is the size of the prefix of each message: a compression flag and the
	// length.
	prefixBytes = 5
)

// The gRPC status codes with messages of their own.
const (
	codeOK               = 0
	codeDeadlineExceeded = 4
	codeNotFound         = 5
	codeUnimplemented    = 12
)

// codes are the names of the status codes of gRPC, by their number.
var codes = []string{
	"OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists", "PermissionDenied",
	"ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented", "Internal", "Unavailable",
	"DataLoss", "Unauthenticated",
}

// healths are the names of the answers of a health check, by their number.
var healths = []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

var (
	errNotGRPC = errors.New("the answer is not gRPC")
	errNoH2    = errors.New("TLS: the server does not offer HTTP/2, which gRPC needs")
)

// grpc succeeds if the service reports that it is serving. A health check is one short
// request; grpc-go's client would need 100 KiB and several goroutines for it.
func (p *Prober) grpc(ctx context.Context, spec *Spec, target Target) Result {
	opened, err := p.dial(ctx, target.String())
	if err != nil {
		return failed(spec, err)
	}
	defer func() { _ = opened.Close() }()
	layer, scheme := io.ReadWriter(opened), "http"
	if spec.Secure {
		name := spec.ServerName
		if name == "" {
			name = target.Host
		}
		client, err := opened.secure(name, "h2")
		if err != nil {
			return failed(spec, err)
		}
		if client.ConnectionState().NegotiatedProtocol != "h2" {
			return failed(spec, errNoH2)
		}
		layer, scheme = client, "https"
	}
	answer, err := openStream(layer, healthFields(spec, target, scheme), healthRequest(spec.Service), "content-type", "grpc-status")
	if err != nil {
		return failed(spec, err)
	}
	if err := answer.readHeader(); err != nil {
		return failed(spec, err)
	}
	return evaluateGRPC(spec, answer)
}

func healthFields(spec *Spec, target Target, scheme string) []hpack.HeaderField {
	return []hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":scheme", Value: scheme},
		{Name: ":path", Value: healthCheck},
		{Name: ":authority", Value: target.String()},
		{Name: "content-type", Value: "application/grpc"},
		{Name: "user-agent", Value: UserAgent},
		{Name: "te", Value: "trailers"},
		{Name: "grpc-timeout", Value: strconv.FormatInt(spec.Timeout.Milliseconds(), 10) + "m"},
	}
}

// healthRequest returns a HealthCheckRequest with its prefix.
func healthRequest(service string) []byte {
	request := make([]byte, prefixBytes, prefixBytes+len(service)+4)
	if service != "" {
		request = protowire.AppendTag(request, serviceField, protowire.BytesType)
		request = protowire.AppendString(request, service)
	}
	binary.BigEndian.PutUint32(request[1:], uint32(len(request)-prefixBytes))
	return request
}

// evaluateGRPC reads the message and the trailer of an answer.
func evaluateGRPC(spec *Spec, answer *stream) Result {
	if types := answer.fields["content-type"]; answer.status != 200 {
		return notGRPC(answer.status)
	} else if len(types) == 0 || !strings.HasPrefix(types[0], "application/grpc") {
		return failed(spec, errNotGRPC)
	}
	message, err := io.ReadAll(io.LimitReader(answer, maxMessageBytes))
	if err != nil {
		return failed(spec, err)
	}
	if len(message) == maxMessageBytes {
		return failed(spec, errNotGRPC)
	}
	code := -1
	if statuses := answer.fields["grpc-status"]; len(statuses) > 0 {
		if number, err := strconv.Atoi(statuses[0]); err == nil {
			code = number
		}
	}
	if code != codeOK {
		return judgeCode(spec, code)
	}
	health, err := healthOf(message)
	if err != nil {
		return failed(spec, err)
	}
	if health == statusServing {
		return Result{Outcome: Success}
	}
	return Result{Outcome: Failure, Message: "gRPC health is " + nameOf(healths, health)}
}

// healthOf decodes a HealthCheckResponse with its prefix.
func healthOf(message []byte) (health int, err error) {
	if len(message) < prefixBytes || message[0] != 0 || int(binary.BigEndian.Uint32(message[1:])) != len(message)-prefixBytes {
		return 0, errNotGRPC
	}
	message = message[prefixBytes:]
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return 0, errNotGRPC
		}
		message = message[n:]
		if number == statusField && kind == protowire.VarintType {
			value, n := protowire.ConsumeVarint(message)
			if n < 0 {
				return 0, errNotGRPC
			}
			health, message = int(int32(value)), message[n:]
			continue
		}
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return 0, errNotGRPC
		}
		message = message[n:]
	}
	return health, nil
}

func notGRPC(status int) Result {
	return Result{Outcome: Failure, Message: fmt.Sprintf("HTTP status %d in place of gRPC", status)}
}

func judgeCode(spec *Spec, code int) Result {
	switch code {
	case codeDeadlineExceeded:
		return timedOut(spec)
	case codeUnimplemented:
		return Result{Outcome: Failure, Message: "the server does not know the gRPC health protocol"}
	case codeNotFound:
		return Result{Outcome: Failure, Message: fmt.Sprintf("the server does not know the service %q", spec.Service)}
	default:
		return Result{Outcome: Failure, Message: "gRPC status " + nameOf(codes, code)}
	}
}

// nameOf returns the name of a number that a server has chosen.
func nameOf(names []string, number int) string {
	if number >= 0 && number < len(names) {
		return names[number]
	}
	return "of no known number"
}
