// Package build makes the objects that unit tests need, each with one call that
// names only what the test is about:
//
//	service := build.Service("shop/web", build.Headless())
//	workload := build.Workload("shop/a", build.IPs("192.0.2.1"), build.NotReady())
//	slice := build.Slice("shop/web-1", build.Of(service), build.Endpoint("a", "192.0.2.1"))
//
// What a test does not name is plain: a Service with one IPv4 port that selects
// app=web, and ready workloads with that label that serve the port. Every call
// makes objects of its own. A wrong call panics.
//
// The package is test support: nothing that ships may import it.
package build
