package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/external-workload/controller/pkg/invitation"
)

// credential is a machine's token, and where it is stored.
type credential struct {
	invitation.Token
	file, user string
	// extensions are those of the kubeconfig's context.
	extensions map[string]runtime.Object
}

// credential reads the machine's token from the kubeconfig.
func (c *connection) credential() (credential, error) {
	raw, err := c.loader().RawConfig()
	if err != nil {
		return credential{}, configFailed(err)
	}
	name := raw.CurrentContext
	if c.overrides.CurrentContext != "" {
		name = c.overrides.CurrentContext
	}
	if len(raw.Contexts) == 0 {
		return credential{}, configFailed(clientcmd.ErrEmptyConfig)
	}
	inUse, found := raw.Contexts[name]
	if !found {
		return credential{}, fmt.Errorf("the kubeconfig has no context %q", name)
	}
	user, found := raw.AuthInfos[inUse.AuthInfo]
	if !found {
		return credential{}, fmt.Errorf("the kubeconfig has no user %q", inUse.AuthInfo)
	}
	token, err := invitation.ParseToken(user.Token)
	if err != nil {
		return credential{}, fmt.Errorf("the kubeconfig is not one that invite has printed: user %q: %w", inUse.AuthInfo, err)
	}
	return credential{Token: token, file: user.LocationOfOrigin, user: inUse.AuthInfo, extensions: inUse.Extensions}, nil
}

// machineToken returns the token with which the clients authenticate, if it is that of
// an invited machine.
func (c *clients) machineToken() (invitation.Token, bool) {
	token, err := invitation.ParseToken(c.config.BearerToken)
	return token, err == nil
}

// failed returns a one-line error that explains a failed request of the machine.
func (c *credential) failed(verb string, err error, now time.Time) error {
	again := c.again()
	switch {
	case apierrors.IsUnauthorized(err) && !now.Before(c.Expires):
		return fmt.Errorf("the invitation of %s expired at %s; %s", c.Workload, c.Expires.UTC().Format(time.RFC3339), again)
	case apierrors.IsUnauthorized(err), apierrors.IsForbidden(err) && verb == "get":
		// Without its Role the machine may not even read its object.
		return fmt.Errorf("the API server does not accept the invitation of %s: it was revoked, or the object is gone; %s", c.Workload, again)
	case apierrors.IsNotFound(err):
		return c.deleted("is gone")
	}
	return requestFailed(verb, workloadResource, c.Namespace, err)
}

// deleted is the error for a machine whose object has ended, or will.
func (c *credential) deleted(what string) error {
	return fmt.Errorf("the ExternalWorkload %s %s, and its invitation with it; %s", c.Workload, what, c.again())
}

// again says how the machine gets another invitation.
func (c *credential) again() string {
	return fmt.Sprintf("ask an administrator for a new one: kubectl external-workload invite %s -n %s", c.Workload, c.Namespace)
}

// renew requests a token and stores it in the kubeconfig.
func (c *credential) renew(ctx context.Context, clients *clients, lifetime time.Duration) error {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(lifetime.Seconds()))}}
	answer, err := clients.core.CoreV1().ServiceAccounts(c.Namespace).CreateToken(ctx, invitation.Account(c.Workload), request, metav1.CreateOptions{})
	if err != nil {
		return requestFailed("create", "serviceaccounts/token", c.Namespace, err)
	}
	token, err := invitation.ParseToken(answer.Status.Token)
	if err != nil || token.Workload != c.Workload || token.Namespace != c.Namespace {
		return errors.New("the API server issued the token of another account")
	}
	if err := c.store(answer.Status.Token); err != nil {
		return err
	}
	c.Token = token
	return nil
}

// store replaces the token in the kubeconfig, and changes nothing else.
func (c *credential) store(token string) error {
	config, err := clientcmd.LoadFromFile(c.file)
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	user, found := config.AuthInfos[c.user]
	if !found {
		return fmt.Errorf("the kubeconfig has no user %q any more", c.user)
	}
	user.Token = token
	data, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("write the kubeconfig: %w", err)
	}
	return replaceFile(c.file, data)
}

// replaceFile atomically replaces a file by one with mode 0600: after a crash or with a
// full disk, it is either the old or the new file.
func replaceFile(path string, data []byte) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("keep the token: %w", err)
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("keep the token: %w", errors.Join(err, os.Remove(file.Name())))
	}
	return syncDirectory(filepath.Dir(path))
}

// syncDirectory makes a rename durable, if the file system supports that.
func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return nil //nolint:nilerr // a directory that may not be read is written nevertheless
	}
	defer directory.Close()
	_ = directory.Sync()
	return nil
}
