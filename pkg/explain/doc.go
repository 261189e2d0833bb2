// Package explain answers why an ExternalWorkload is served by a Service or
// not. It looks at the same objects as the controller, decides with the same
// packages, desired and plan, and compares the result with the EndpointSlices.
//
// It is pure: values in, values out. It reads no cluster and no clock, and
// prints nothing but text that it returns. So an answer is the same for a live
// cluster, for manifests that are not applied yet, and in a test.
package explain
