// Package acme contains the account types of the lego stub.
package acme

// Account is an account of an ACME server.
type Account struct{}

// ExtendedAccount adds the account's URL to Account.
type ExtendedAccount struct {
	Account

	Location string
}
