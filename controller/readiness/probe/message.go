package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
)

// maxMessage is the maximum length of text from an annotation in a message.
const maxMessage = 256

// ownTrouble are errors that mean that the prober lacks a resource.
var ownTrouble = []syscall.Errno{
	syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL, syscall.EAGAIN,
}

// plain are the messages of the most common errors of machines.
var plain = []struct {
	err     error
	message string
}{
	{syscall.ECONNREFUSED, "connection refused"},
	{syscall.ECONNRESET, "connection reset by peer"},
	{syscall.EPIPE, "connection reset by peer"},
	{syscall.EHOSTUNREACH, "no route to host"},
	{syscall.ENETUNREACH, "network is unreachable"},
	{io.ErrUnexpectedEOF, "connection closed before the answer was complete"},
	{io.EOF, "connection closed before the answer was complete"},
}

// ownErrors are the errors of this package, whose messages are constants.
var ownErrors = []error{
	errTooManyRedirects, errScheme, errRequest, errTooLarge, errHandshake, errNotTLS, errTLS, errMalformed, errKept,
	errNotHTTP2, errStream, errNotGRPC, errNoH2,
}

// failed converts the error of a probe into its result.
func failed(spec *Spec, err error) Result {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return Result{Outcome: Refused, Message: refused.Error()}
	}
	for _, errno := range ownTrouble {
		if errors.Is(err, errno) {
			return Result{Outcome: Error, Message: errno.Error()}
		}
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok && !lookup.IsTimeout {
		return Result{Outcome: Failure, Message: fmt.Sprintf("host %s cannot be resolved", lookup.Name)}
	}
	if isTimeout(err) {
		return timedOut(spec)
	}
	return Result{Outcome: Failure, Message: describe(err)}
}

func timedOut(spec *Spec) Result {
	return Result{Outcome: Timeout, Message: fmt.Sprintf("no answer within %s", spec.Timeout)}
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// describe returns the message of an error. It does not include the text of other
// errors, which may contain data of the machine.
func describe(err error) string {
	for _, known := range plain {
		if errors.Is(err, known.err) {
			return known.message
		}
	}
	for _, own := range ownErrors {
		if errors.Is(err, own) {
			return own.Error()
		}
	}
	if alert, is := errors.AsType[tls.AlertError](err); is {
		// The text is that of crypto/tls for the number of the alert.
		return "TLS: " + strings.TrimPrefix(alert.Error(), "tls: ")
	}
	return "the connection failed"
}

// clip makes a message printable and shortens it.
func clip(message string) string {
	message = strings.Map(func(r rune) rune {
		if isControl(r) || r == '\t' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(message, "?"))
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "..."
	}
	return message
}
