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

// Defaults, as in Kubernetes.
const (
	DefaultPeriodSeconds    = 10
	DefaultTimeoutSeconds   = 1
	DefaultSuccessThreshold = 1
	DefaultFailureThreshold = 3
)

// Maximum values. Kubernetes has none, but here one prober serves all tenants.
const (
	// MaxSeconds is the maximum period and initial delay: one day.
	MaxSeconds = 24 * 60 * 60
	// MaxTimeoutSeconds is the maximum timeout, which is also at most the period.
	MaxTimeoutSeconds = 30
	// MaxThreshold is the maximum of both thresholds.
	MaxThreshold = 1000
)

// Options are the operator's settings.
type Options struct {
	// Addresses decides which addresses may be probed.
	Addresses AddressPolicy
	// AllowHost permits probes that set a host instead of using the workload's own
	// addresses. With it, an author of workloads can scan the network.
	AllowHost bool
}

// HostNotAllowedError is returned for a probe that sets a host without the operator's
// permission.
type HostNotAllowedError struct{}

// Error describes what the author has to fix.
func (*HostNotAllowedError) Error() string {
	return "host is not allowed in probes here; remove it, and the workload's own addresses are probed"
}

// NoAddressError is returned for a valid probe of a workload without addresses, such as
// that of an invited machine that has not registered yet.
type NoAddressError struct{}

// Error says that nothing can be probed.
func (*NoAddressError) Error() string { return "the workload has no address to probe" }

// Decode parses the value of a probe annotation for a workload. The error tells the
// author in one sentence what to fix. It is, or wraps, a *RefusedError if the options
// refuse the probed address, a *HostNotAllowedError if they refuse the host, and a
// *NoAddressError if the probe is valid and only an address is missing. Decode resolves no
// names.
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
	if len(spec.Targets) == 0 {
		return nil, &NoAddressError{}
	}
	return spec, nil
}

// unmarshal parses YAML and JSON, with exact field names, each at most once.
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

// timing validates and defaults everything except the handler.
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
