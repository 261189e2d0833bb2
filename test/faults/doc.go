// Package faults breaks what surrounds a controller: its connection to the API
// server, its own process, its clock.
//
// A Proxy is between one controller process and the API server. Rules make
// it delay, refuse, cut, stall, repeat or rewrite what passes; the rest passes
// untouched. It also keeps a record of every write with what became of it, so
// that a test can tell who wrote what and whether that was needed. A Process is
// a real child process that can be killed, frozen and thawed.
//
// The tests of this package hold the controller's promises: each test is named
// for its fault, and breaks a real controller in front of a real API server.
//
// Everything listens on loopback. Nothing here knows what the controller should
// publish; that is the oracle's part.
package faults
