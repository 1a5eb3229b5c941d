"""serve.py <keystone|glance|nova|neutron|magnum> <port>

One WSGI application under gunicorn (one worker, threads).  For magnum the
conductor runs in the same process, so that oslo.messaging's "fake" transport
(an in-process queue) can stand for RabbitMQ; API and conductor code are
upstream's, unchanged, and still talk by RPC.
"""
import importlib
import io
import os
import sys
import traceback

from gunicorn.app.base import BaseApplication

import faults

MODULES = {
    'keystone': 'keystone.wsgi.api',
    'glance': 'glance.wsgi.api',
    'nova': 'nova.wsgi.osapi_compute',
    'neutron': 'neutron.wsgi.api',
}


def sqlite_retry():
    """sqlite's "database is locked" is what others call a deadlock: the
    services' own retry decorators then take care of it."""
    from oslo_db import exception as db_exc
    from oslo_db.sqlalchemy import exc_filters
    from sqlalchemy import exc

    @exc_filters.filters('sqlite', exc.OperationalError,
                         r'.*database is locked')
    def locked(error, match, engine_name, is_disconnect):
        raise db_exc.DBDeadlock(error)


def magnum_writers_first():
    """Writing transactions take sqlite's write lock at once (and wait for it),
    so that a read-then-write never finds its snapshot stale."""
    import contextlib
    import threading
    from magnum.db.sqlalchemy import api
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    here, plain = threading.local(), api._session_for_write

    @event.listens_for(Engine, 'before_cursor_execute', retval=True)
    def begin(conn, cursor, statement, parameters, context, executemany):
        if statement == 'BEGIN' and getattr(here, 'write', False):
            statement = 'BEGIN IMMEDIATE'
        return statement, parameters

    @contextlib.contextmanager
    def session():
        with plain() as s:
            here.write = True
            try:
                s.connection()
            finally:
                here.write = False
            yield s
    api._session_for_write = session


def magnum():
    from magnum.common import rpc_service
    from magnum.common import service as magnum_service
    magnum_service.prepare_service(sys.argv)
    import threading
    import magnum.conf
    from magnum.common import short_id
    from magnum.conductor.handlers import ca_conductor
    from magnum.conductor.handlers import cluster_conductor
    from magnum.conductor.handlers import conductor_listener
    from magnum.conductor.handlers import credential_conductor
    from magnum.conductor.handlers import federation_conductor
    from magnum.conductor.handlers import indirection_api
    from magnum.conductor.handlers import nodegroup_conductor
    from magnum.service import periodic
    from magnum.servicegroup import magnum_service_periodic as servicegroup
    magnum_writers_first()
    CONF = magnum.conf.CONF
    # upstream polls IN_PROGRESS clusters every 10 s, hard-coded
    fast = float(os.environ.get('MAGNUM_SYNC_SECONDS', '1'))
    endpoints = [m.Handler() for m in (
        indirection_api, cluster_conductor, conductor_listener,
        credential_conductor, ca_conductor, federation_conductor,
        nodegroup_conductor)]
    server = rpc_service.Service.create(
        CONF.conductor.topic, short_id.generate_id(), endpoints,
        binary='magnum-conductor')
    server.start()

    import time
    from magnum.common import context
    pt = periodic.MagnumPeriodicTasks(CONF)
    pt._periodic_spacing['sync_cluster_status'] = fast

    def loop():
        ctx = context.make_admin_context(all_tenants=True)
        while True:
            try:
                pt.run_periodic_tasks(ctx)
            except Exception:
                import traceback
                traceback.print_exc()
            time.sleep(fast)
    servicegroup.setup(CONF, 'magnum-conductor', server.tg)
    threading.Thread(target=loop, daemon=True).start()
    from magnum.api import app as api_app
    return api_app.load_app()


class UserTokens:
    """Keystone gives users (who come with application credentials) tokens that live $TOKEN_TTL seconds. The services'
    own ones stay long: below two minutes keystoneauth logs in anew for every single call."""

    def __init__(self, app):
        self.app, self.life = app, int(os.environ.get('TOKEN_TTL', '3600'))

    def __call__(self, environ, start_response):
        from keystone.conf import CONF
        if environ['REQUEST_METHOD'] == 'POST' and environ['PATH_INFO'].endswith('/auth/tokens'):
            body = environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0))
            environ['wsgi.input'] = io.BytesIO(body)
            CONF.set_override('expiration', self.life if b'"application_credential"' in body else 3600, 'token')
        return self.app(environ, start_response)


class App(BaseApplication):
    def __init__(self, name, port):
        self.name, self.port = name, port
        super().__init__()

    def load_config(self):
        for k, v in {
                'bind': '127.0.0.1:%s' % self.port, 'workers': 1,
                'worker_class': 'gthread', 'timeout': 300,
                'threads': int(os.environ.get('THREADS', '4' if self.name == 'magnum' else '1')),
                'keepalive': 30, 'accesslog': '-', 'errorlog': '-',
                'graceful_timeout': 2,
                'access_log_format':
                    '%(t)s "%(r)s" %(s)s %(b)s %(M)sms',
                'control_socket_disable': True, 'worker_tmp_dir': '/dev/shm',
                'proc_name': 'osl-' + self.name}.items():
            self.cfg.set(k, v)

    def load(self):
        try:
            sqlite_retry()
            if self.name == 'magnum':
                app = magnum()
            else:
                app = importlib.import_module(MODULES[self.name]).application
            if self.name == 'keystone':
                app = UserTokens(app)
            return faults.Faults(app, self.name)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(3)         # gunicorn: boot error, do not try again


if __name__ == '__main__':
    name, port = sys.argv[1:3]
    # the services parse sys.argv themselves
    sys.argv = ['osl-' + name] + sys.argv[3:]
    App(name, port).run()
