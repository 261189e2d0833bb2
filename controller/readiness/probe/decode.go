package probe

import (
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	kjson "sigs.k8s.io/json"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// What a probe gets where its author says nothing; as in Kubernetes.
const (
	DefaultPeriodSeconds    = 10
	DefaultTimeoutSeconds   = 1
	DefaultSuccessThreshold = 1
	DefaultFailureThreshold = 3
)

// The most that a probe may ask for. Kubernetes has no such bounds; here one
// prober serves everybody.
const (
	// MaxSeconds bounds the period and the initial delay: one day.
	MaxSeconds = 24 * 60 * 60
	// MaxTimeoutSeconds bounds the time that one probe may take, besides its
	// period.
	MaxTimeoutSeconds = 30
	// MaxThreshold bounds both thresholds.
	MaxThreshold = 1000
)

// Options are what the operator lets probes do.
type Options struct {
	// Addresses says which addresses may be probed.
	Addresses AddressPolicy
	// AllowHost permits probes that name a host instead of asking the workload's
	// own addresses. Who may write a workload could scan the network by it.
	AllowHost bool
}

// HostNotAllowedError says that a probe names a host and the operator does not
// permit that.
type HostNotAllowedError struct{}

// Error describes what the author has to repair.
func (*HostNotAllowedError) Error() string {
	return "host is not allowed in probes here; remove it, and the workload's own addresses are probed"
}

// Decode makes a Spec of a probe annotation's value and the workload that
// carries it. The error says in one sentence what the author has to repair;
// it is, or wraps, a *RefusedError if the probe would ask an address that the
// options refuse, and a *HostNotAllowedError if it names a host and must not.
// Names are not resolved here.
func Decode(annotation string, workload *v1beta1.ExternalWorkload, options Options) (*Spec, error) {
	decoded, err := unmarshal(annotation)
	if err != nil {
		return nil, err
	}
	spec, err := timing(decoded)
	if err != nil {
		return nil, err
	}
	if err := resolve(spec, &decoded.ProbeHandler, workload, options); err != nil {
		return nil, err
	}
	return spec, nil
}

// unmarshal accepts YAML and JSON, with the exact names of the fields, each at
// most once.
func unmarshal(annotation string) (*corev1.Probe, error) {
	data, err := toJSON(annotation)
	if err != nil {
		return nil, err
	}
	decoded := &corev1.Probe{}
	strict, err := kjson.UnmarshalStrict(data, decoded)
	if err = errors.Join(append(strict, err)...); err != nil {
		return nil, fmt.Errorf("the probe does not decode: %s", clip(strings.ReplaceAll(err.Error(), "\n", "; ")))
	}
	return decoded, nil
}

// timing checks and fills in everything but the handler.
func timing(decoded *corev1.Probe) (*Spec, error) {
	if decoded.TerminationGracePeriodSeconds != nil {
		return nil, errors.New("terminationGracePeriodSeconds has no meaning for a readiness probe; remove it")
	}
	period, timeout := decoded.PeriodSeconds, decoded.TimeoutSeconds
	spec := &Spec{SuccessThreshold: decoded.SuccessThreshold, FailureThreshold: decoded.FailureThreshold}
	for _, field := range []struct {
		name         string
		value        *int32
		unset, limit int32
	}{
		{"periodSeconds", &period, DefaultPeriodSeconds, MaxSeconds},
		{"timeoutSeconds", &timeout, DefaultTimeoutSeconds, MaxTimeoutSeconds},
		{"successThreshold", &spec.SuccessThreshold, DefaultSuccessThreshold, MaxThreshold},
		{"failureThreshold", &spec.FailureThreshold, DefaultFailureThreshold, MaxThreshold},
	} {
		if *field.value == 0 {
			*field.value = field.unset
		}
		if *field.value < 1 || *field.value > field.limit {
			return nil, fmt.Errorf("%s is %d; it must be 1 to %d", field.name, *field.value, field.limit)
		}
	}
	if timeout > period {
		return nil, fmt.Errorf("timeoutSeconds is %d; it must not be longer than periodSeconds, which is %d", timeout, period)
	}
	if delay := decoded.InitialDelaySeconds; delay < 0 || delay > MaxSeconds {
		return nil, fmt.Errorf("initialDelaySeconds is %d; it must be 0 to %d", delay, MaxSeconds)
	}
	spec.InitialDelay = time.Duration(decoded.InitialDelaySeconds) * time.Second
	spec.Period = time.Duration(period) * time.Second
	spec.Timeout = time.Duration(timeout) * time.Second
	return spec, nil
}
