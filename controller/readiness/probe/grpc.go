package probe

import (
	"context"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

const (
	// maxMessageBytes bounds the answer of a health check, which is a number.
	maxMessageBytes = 4 << 10

	// windowBytes is the smallest flow-control window that gRPC accepts.
	windowBytes = 64 << 10
)

// grpc succeeds if the service says that it is serving.
func (p *Prober) grpc(ctx context.Context, spec *Spec, target Target) Result {
	// What the dialer found is kept: gRPC turns errors into text.
	var dialError error
	dialed := make(chan struct{})
	deadline, _ := ctx.Deadline()
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		connection, err := p.dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			// Closing the client waits for what it has yet to write, for seconds
			// where the machine does not read.
			err = connection.SetDeadline(deadline)
		}
		select {
		case <-dialed:
		default:
			dialError = err
			close(dialed)
		}
		return connection, err
	}
	client, err := grpc.NewClient("passthrough:///"+target.String(), dialOptions(dial)...)
	if err != nil {
		return Result{Outcome: Error, Message: fmt.Sprintf("set up gRPC: %v", err)}
	}
	// Closing ends the connection and everything that serves it.
	defer func() { _ = client.Close() }()

	answer, err := grpc_health_v1.NewHealthClient(client).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: spec.Service})
	if err == nil {
		return judgeHealth(answer.GetStatus())
	}
	if !time.Now().Before(deadline) {
		// The connection may have noticed before the call did.
		return timedOut(spec)
	}
	select {
	case <-dialed:
		if dialError != nil {
			return failed(spec, dialError)
		}
	default:
	}
	return judgeCode(spec, status.Convert(err))
}

func dialOptions(dial func(context.Context, string) (net.Conn, error)) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithContextDialer(dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUserAgent(UserAgent),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithDisableHealthCheck(),
		grpc.WithReadBufferSize(bufferBytes),
		grpc.WithWriteBufferSize(bufferBytes),
		grpc.WithStaticStreamWindowSize(windowBytes),
		grpc.WithStaticConnWindowSize(windowBytes),
		grpc.WithMaxHeaderListSize(maxHeaderBytes),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)),
	}
}

func judgeHealth(health grpc_health_v1.HealthCheckResponse_ServingStatus) Result {
	if health == grpc_health_v1.HealthCheckResponse_SERVING {
		return Result{Outcome: Success}
	}
	return Result{Outcome: Failure, Message: "gRPC health is " + health.String()}
}

func judgeCode(spec *Spec, code *status.Status) Result {
	switch code.Code() {
	case codes.DeadlineExceeded:
		return timedOut(spec)
	case codes.Unimplemented:
		return Result{Outcome: Failure, Message: "the server does not know the gRPC health protocol"}
	case codes.NotFound:
		return Result{Outcome: Failure, Message: fmt.Sprintf("the server does not know the service %q", spec.Service)}
	default:
		// The text comes from the machine or holds numbers of its sockets.
		return Result{Outcome: Failure, Message: "gRPC status " + code.Code().String()}
	}
}
